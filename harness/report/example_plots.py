"""Pictures of examples: a contact sheet of images, spectrograms, snippets of text, histograms of features.

Each is drawn at page width (7 in), 8 images or 4 other examples in a row, and never knows where examples came from.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from harness.report.axes import BLACK, LOOKS, PAGE_WIDTH_IN, STYLE, VERMILLION, verbatim

__all__ = ["plot_features", "plot_images", "plot_sounds", "plot_texts"]


@rc_context(STYLE)
def plot_images(images: np.ndarray, labels: Sequence[str], augmented: np.ndarray | None = None) -> Figure:
    """Images (n, C, H, W) of 1 or 3 channels and any scale, each under its label; augmented ones below."""
    shown = images if augmented is None else np.concatenate([images, augmented])
    low, high = float(images.min()), float(images.max())
    pixels = np.clip((shown - low) / ((high - low) or 1), 0, 1).transpose(0, 2, 3, 1)
    axes = _grid(len(shown), columns=8, row_in=1.0)
    for place, (ax, picture) in enumerate(zip(axes, pixels, strict=True)):
        ax.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1)
        ax.set_axis_off()
        colour = BLACK if place < len(images) else VERMILLION
        ax.set_title(_short(labels[place % len(images)], 18), fontsize=6, color=colour, parse_math=False)
    if augmented is not None:
        axes[0].figure.supxlabel("labels in colour: augmented, as in training", fontsize=7, color=VERMILLION)
    return axes[0].figure  # type: ignore[return-value]


@rc_context(STYLE)
def plot_sounds(waves: Sequence[np.ndarray], rate: int, labels: Sequence[str]) -> Figure:
    """Spectrograms of waves (t,), each under its label: time in seconds, frequency in kHz, the 80 dB below the peak."""
    axes = _grid(len(waves), columns=4, row_in=1.3)
    for ax, wave, title in zip(axes, waves, labels, strict=True):
        window = max(16, min(256, len(wave)))
        padded = np.pad(wave, (0, max(0, window - len(wave))))
        with np.errstate(divide="ignore"):  # of digital silence
            power, *_, image = ax.specgram(
                padded, NFFT=window, Fs=rate / 1000, noverlap=window // 2, xextent=(0, len(padded) / rate), scale="dB"
            )
        peak = 10 * np.log10(max(power.max(), 1e-20))
        image.set_clim(peak - 80, peak)
        ax.set_title(_short(title, 30), fontsize=7, parse_math=False)
        ax.tick_params(labelsize=6)
    axes[0].set_xlabel("time (s)", fontsize=6)
    axes[0].set_ylabel("frequency (kHz)", fontsize=6)
    return axes[0].figure  # type: ignore[return-value]


#: Of snippets: letters of a line and lines of one at most, which fill half a page's width; type in points.
_LINE, _MOST_LINES, _TYPE_PT = 56, 12, 7


@rc_context(STYLE)
def plot_texts(texts: Sequence[str], labels: Sequence[str]) -> Figure:
    """The beginning of each text, under its label; a row is as high as its longest, and "..." ends one that is cut."""
    snippets = [_snippet(text) for text in texts]
    line_in = 1.2 * _TYPE_PT / 72
    axes = _grid(len(texts), columns=2, row_in=(2.5 + max(map(len, snippets), default=0)) * line_in)
    for ax, lines, title in zip(axes, snippets, labels, strict=True):
        ax.text(0, 1, "\n".join(lines), va="top", family="monospace", fontsize=_TYPE_PT, parse_math=False)
        ax.set_axis_off()
        ax.set_title(_short(title, 60), fontsize=_TYPE_PT, loc="left", parse_math=False)
    return axes[0].figure  # type: ignore[return-value]


def _snippet(text: str) -> list[str]:
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, _LINE) or [""]]
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], "..."]


@rc_context(STYLE)
def plot_features(
    values: np.ndarray,
    names: Sequence[str],
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
    targets: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Histograms of targets and of the first features (n, F), 16 in all, under their names.

    Labels (n,) from 0 to len(classes) - 1 stack the examples of up to six classes, each in a colour of its own. Values
    to be predicted, (n,) by name, come first.
    """
    stacked = labels is not None and 1 < len(classes) <= len(LOOKS)
    sides = [labels == label for label in range(len(classes))] if stacked else [np.ones(len(values), dtype=bool)]
    colours = [colour for colour, _ in LOOKS[: len(sides)]]
    named = [(f"{name} (to be predicted)", target) for name, target in (targets or {}).items()]
    drawn = [*named, *zip(names, values.T, strict=True)][:16]
    axes = _grid(len(drawn), columns=4, row_in=1.2)
    for place, (ax, (name, numbers)) in enumerate(zip(axes, drawn, strict=True)):
        ax.hist(
            [numbers[side] for side in sides],
            bins=30,
            stacked=True,
            color=[VERMILLION] if place < len(named) else colours,
        )
        ax.set_title(_short(name, 30), fontsize=7, parse_math=False)
        ax.tick_params(labelsize=6)
    axes[0].set_ylabel("examples", fontsize=6)
    if stacked:
        keys = [
            Patch(color=colour, label=verbatim(_short(name, 18))) for colour, name in zip(colours, classes, strict=True)
        ]
        axes[0].figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), fontsize=6)
    return axes[0].figure  # type: ignore[return-value]


def _grid(count: int, columns: int, row_in: float) -> list[Axes]:
    """As many axes as are asked for, row by row."""
    rows = -(-count // columns)
    figure = Figure(figsize=(PAGE_WIDTH_IN, rows * row_in + 0.3), layout="constrained")
    return [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
