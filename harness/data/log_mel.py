"""Log-mel spectrograms: the energy of sound in bands of pitch, as the ear resolves it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Energies below this one count as this one, so that the logarithm of silence is finite. A sine of full amplitude has
#: an energy of about 10^2 at a window of 256 samples.
FLOOR = 1e-6
#: Below this frequency in Hz the mel scale is linear, above it logarithmic.
_KNEE = 1000.0
_HZ_PER_MEL = 200 / 3
_STEP = np.log(6.4) / 27
#: Clips that are transformed at once, which bounds memory.
_CHUNK = 256


def log_mel(
    clips: Sequence[np.ndarray], sample_rate: int, samples: int, window: int, hop: int, n_mels: int
) -> np.ndarray:
    """(n, T, n_mels) float32 log-mel spectrograms of n clips, T = `frames`.

    Frame t of a clip x, padded by half a window of zeros on each side, is

        X[t, k] = sum over i of w[i] x[t hop + i] exp(-2 pi j k i / window),   w the periodic Hann window,
        S[t, m] = sum over k of M[m, k] |X[t, k]|^2,                           M = `mel_filters`,

    and the result is ln max(S, `FLOOR`). This is the logarithm of librosa's `feature.melspectrogram` with its defaults.

    Args:
        clips: (t,) samples from -1 to 1 each.
        sample_rate: in Hz.
        samples: length that clips are cut or filled up to with zeros, at their ends.
        window: samples of a frame, and of its Fourier transform (n_fft).
        hop: samples from one frame to the next.
        n_mels: bands.
    """
    import torch

    filters = torch.from_numpy(mel_filters(sample_rate, window, n_mels))
    # In float64: next to a loud band, the rounding of float32 would drown a quiet one.
    hann = torch.hann_window(window, dtype=torch.float64)
    spectrograms = []
    for start in range(0, len(clips), _CHUNK):
        chunk = torch.zeros(len(clips[start : start + _CHUNK]), samples, dtype=torch.float64)
        for row, clip in zip(chunk, clips[start : start + _CHUNK], strict=True):
            row[: len(clip)] = torch.from_numpy(clip[:samples])
        spectrum = torch.stft(chunk, window, hop, window=hann, pad_mode="constant", return_complex=True)
        energies = filters @ spectrum.abs().square()
        spectrograms.append(energies.clamp(min=FLOOR).log().transpose(1, 2).float().numpy())
    return np.concatenate(spectrograms)


def frames(samples: int, window: int, hop: int) -> int:
    """Frames of a clip; its padding by half a window on each side is a sample short of an odd window."""
    return 1 + (samples - window % 2) // hop


def mel_filters(sample_rate: int, window: int, n_mels: int) -> np.ndarray:
    """(n_mels, window // 2 + 1) weights of each frequency in each band.

    Bands are triangles between equal steps of the mel scale from 0 Hz to half the sampling rate, each divided by half
    of its width in Hz, so that noise of equal energy at all frequencies gives equal energies in all bands (Slaney 1998,
    "Auditory Toolbox", version 2).
    """
    frequencies = np.linspace(0, sample_rate / 2, window // 2 + 1)
    corners = _hz(np.linspace(0, _mel(sample_rate / 2), n_mels + 2))
    low, middle, high = (corners[i : i + n_mels, None] for i in range(3))
    triangles = np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle))
    return triangles.clip(min=0) * 2 / (high - low)


def _mel(hz: float) -> float:
    knee = _KNEE / _HZ_PER_MEL
    return hz / _HZ_PER_MEL if hz < _KNEE else knee + np.log(hz / _KNEE) / _STEP


def _hz(mel: np.ndarray) -> np.ndarray:
    knee = _KNEE / _HZ_PER_MEL
    return np.where(mel < knee, mel * _HZ_PER_MEL, _KNEE * np.exp(_STEP * (mel - knee)))
