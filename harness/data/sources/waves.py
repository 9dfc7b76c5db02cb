"""Audio, decoded by soundfile, at one sampling rate."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.sources.riff import promised_and_found
from harness.errors import DataError, UserError

#: What soundfile is asked to open, of the files in a folder.
SUFFIXES = (".wav", ".flac", ".ogg")


def decoded(source: Path | bytes, name: str) -> tuple[np.ndarray, int]:
    """(t,) float32 from -1 to 1, the mean over channels, and its rate in Hz.

    Raises:
        DataError: the file is damaged, has fewer samples than its header says, or is not of a format that soundfile
            reads.
        UserError: soundfile is not installed.
    """
    try:
        import soundfile
    except ImportError as error:
        raise UserError("audio needs soundfile: pip install 'scaling-harness[speech]'") from error
    try:
        wave, rate = soundfile.read(
            str(source) if isinstance(source, Path) else io.BytesIO(source), dtype="float32", always_2d=True
        )
    except (RuntimeError, OSError, TypeError) as error:
        raise DataError(f"damaged audio ({str(error).rpartition(': ')[2].rstrip('.')})", source=name) from error
    _refuse_cut_off(source, name)
    return wave.mean(axis=1), int(rate)


def _refuse_cut_off(source: Path | bytes, name: str) -> None:
    frames = promised_and_found(source)
    if frames is not None and frames[1] < frames[0]:
        promised, found = frames
        problem = f"cut off: {found:,} frames, of which its header promises {promised:,}"
        raise DataError(problem, source=name)


def all_decoded(sources: Sequence[Path | bytes], names: Sequence[str]) -> tuple[list[np.ndarray], list[int]]:
    """Waves and rates of several files, as `decoded`."""
    sounds = [decoded(source, name) for source, name in zip(sources, names, strict=True)]
    return [wave for wave, _ in sounds], [rate for _, rate in sounds]


def at_one_rate(
    waves: Any, rates: Sequence[int] | None, names: Sequence[str], wanted: int | None
) -> tuple[list[np.ndarray], int]:
    """All waves at the rate `wanted`, resampled by polyphase filtering; None for their own, which must agree.

    Raises:
        DataError: rates differ, or are not known, and none is wanted.
    """
    if rates is None:
        if wanted is None:
            raise DataError("the source gives no sampling rate; data.sample_rate=HZ states it")
        return [np.asarray(wave, dtype=np.float32) for wave in waves], wanted
    target = wanted or rates[0]
    for rate, name in zip(rates, names, strict=True):
        if wanted is None and rate != target:
            problem = f"{rate} Hz, and {names[0]} is of {target} Hz; data.sample_rate=HZ resamples them all"
            raise DataError(problem, source=name)
    return [_resampled(wave, rate, target) for wave, rate in zip(waves, rates, strict=True)], target


def _resampled(wave: np.ndarray, rate: int, target: int) -> np.ndarray:
    wave = np.asarray(wave, dtype=np.float32)
    if rate == target or not len(wave):
        return wave
    from scipy.signal import resample_poly

    common = math.gcd(rate, target)
    up, down = target // common, rate // common
    return resample_poly(wave, up, down, window=_low_pass(max(up, down))).astype(np.float32)


@lru_cache
def _low_pass(factor: int) -> np.ndarray:
    """The filter that `resample_poly` would design anew for each wave."""
    from scipy.signal import firwin

    return firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0))
