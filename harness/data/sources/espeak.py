"""The speech synthesiser espeak-ng (https://github.com/espeak-ng/espeak-ng), called in process.

The Python package `espeakng-loader` brings its shared library and its data. The functions and numbers used here are
those of `speak_lib.h`.
"""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from pathlib import Path

import numpy as np

from harness.errors import DataError, UserError

#: `espeak_AUDIO_OUTPUT`: samples go to a callback, and `espeak_Synth` returns when all of them have.
_SYNCHRONOUS = 2
#: `espeak_PARAMETER`.
_RATE, _PITCH = 1, 3
#: `espeak_POSITION_TYPE` of the place to begin at, and the flag of UTF-8.
_BY_CHARACTERS, _UTF8 = 1, 1
#: Of the noise in some voices.
_SEED = 1

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """A synthesiser in the state in which the library is loaded; equal calls in equal order give equal samples.

    The library keeps phases of its voices from one word to the next, and has no way to reset them; so each synthesiser
    loads a copy of the library for itself. Its noise comes from the process's own `rand`, which is seeded.

    Attributes:
        sample_rate: in Hz.
        version: of espeak-ng.

    Raises:
        UserError: espeakng-loader is not installed.
        DataError: its library does not start.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise UserError("spoken words need espeakng-loader: pip install 'scaling-harness[speech]'") from error
        library, data = Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
        self._speakers = data / "voices" / "!v"
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            self._library = ctypes.CDLL(str(shutil.copy(library, folder)))
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), 0)
        if self.sample_rate <= 0:
            raise DataError("espeak-ng does not start with the data that espeakng-loader brings", source=data)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.version = self._library.espeak_Info(None).decode()
        self._samples: list[np.ndarray] = []
        self._callback = _CALLBACK(self._receive)  # kept, for the library does not keep it
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, words_per_minute: int, pitch: int) -> np.ndarray:
        """(t,) float32 samples from -1 to 1.

        Args:
            voice: as espeak-ng names it, a language and a speaker: ``en-us+f2``.
            words_per_minute: from 80 to 450.
            pitch: 0 to 100; 50 is the speaker's own.

        Raises:
            DataError: there is no such voice, or the text has no sound.
        """
        _, plus, speaker = voice.partition("+")
        # The library takes a speaker that it does not have for none.
        known = not plus or (self._speakers / speaker).is_file()
        if self._library.espeak_SetVoiceByName(voice.encode()) or not known:
            raise DataError(f"espeak-ng {self.version} has no voice {voice}")
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        encoded = text.encode() + b"\0"
        self._samples.clear()
        self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, _BY_CHARACTERS, 0, ctypes.c_uint(_UTF8), None, None
        )
        if not any(part.any() for part in self._samples):
            raise DataError(f"espeak-ng {self.version} gives {text!r} no sound")
        return np.concatenate(self._samples).astype(np.float32) / 2**15

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count:
            self._samples.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0
