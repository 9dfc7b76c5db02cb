"""Whether a drawn figure can be read."""

from __future__ import annotations

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def drawn(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    FigureCanvasAgg(figure).draw()
    return figure


def check_legible(axes: Axes) -> None:
    """Labels of ticks do not touch, nothing is cut off, and no legend lies on the data."""
    figure = drawn(axes)
    for each in figure.axes:
        if not each.axison:
            continue
        for axis, side in ((each.xaxis, "x"), (each.yaxis, "y")):
            low, high = sorted(axis.get_view_interval())
            # An axis whose labels are left to the panel below has ticks but no labels.
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)
            labels = [label for place, label in ticks if low <= place <= high and label.get_text()]
            boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: getattr(box, f"{side}0"))
            for first, second in pairwise(boxes):
                assert getattr(first, f"{side}1") <= getattr(second, f"{side}0"), f"labels of {side} overlap"
        if legend := each.get_legend():
            box = legend.get_window_extent()
            assert box.y0 >= each.get_window_extent().y1 - 1, "the legend lies on the data"
            assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, "the legend is cut off"
        box = each.get_tightbbox()
        assert box is not None
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1, "labels are cut off"


def legend_of(axes: Axes) -> list[str]:
    """Texts of the legend of these axes, blank entries left out."""
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts() if text.get_text().strip()]
