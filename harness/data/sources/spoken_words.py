"""``embedded:spoken_words``: words said by the voices of espeak-ng, at several rates and pitches.

A clip is a word by a voice at a rate and a pitch; there are all of their combinations. The words are `data.classes`.
Speech of a synthesiser is cleaner than people's, and alike from clip to clip: what is learnt on it does not carry over
to recordings.
"""

from __future__ import annotations

import itertools

from harness.data.settings import DataSettings
from harness.data.sources.espeak import Espeak
from harness.data.sources.found import Found

#: Digits, and ten commands of Speech Commands (Warden 2018, arXiv:1804.03209).
WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go",
)  # fmt: skip
#: Speakers of espeak-ng, without those that whisper, croak or are robots.
VOICES = (
    "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Alex", "Alicia", "Andy", "Annie",
    "Denis", "Diogo", "Gene", "Hugo", "Jacky", "Lee", "Mario", "Michael", "Mike", "Nguyen", "Reed", "adam", "aunty",
    "belinda", "boris", "caleb", "david", "ed", "edward", "grandma", "grandpa", "john", "linda",
)  # fmt: skip
#: Words in a minute.
RATES = (140, 180)
#: Of 100, where 50 is a speaker's own.
PITCHES = (35, 65)
ACCENT = "en-us"


def read(settings: DataSettings) -> Found:
    """Every word by every voice at every rate and pitch; voices are the groups.

    Raises:
        UserError: espeakng-loader is not installed.
        DataError: a word has no sound.
    """
    words = tuple(settings.classes or WORDS)
    espeak = Espeak()
    clips = list(itertools.product(VOICES, RATES, PITCHES, words))
    return Found(
        inputs=[espeak.say(word, f"{ACCENT}+{voice}", rate, pitch) for voice, rate, pitch, word in clips],
        names=[f"{word}, {voice}, {rate} words a minute, pitch {pitch}" for voice, rate, pitch, word in clips],
        title="spoken words",
        labels=[word for *_, word in clips],
        classes=words,
        groups=[voice for voice, *_ in clips],
        rates=[espeak.sample_rate] * len(clips),
        licence="output of a program (espeak-ng, GPL-3.0-or-later)",
        version=f"espeak-ng {espeak.version}",
    )
