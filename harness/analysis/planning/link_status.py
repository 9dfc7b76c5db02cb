"""Whether a metric follows the loss well enough to be forecast through it, and what to say where it does not."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from harness.analysis.planning.links import FLAT
from harness.analysis.planning.metric_rows import MetricRows
from harness.analysis.planning.task_links import TaskLink

#: Fewest rows, and distinct losses, of a link.
LEAST_ROWS = 5
#: p below which a metric whose direction is stated is taken to get worse as the loss falls.
REVERSED = 0.01
#: A metric that does not move has a forecast, its level, unless it scatters by more than this share, or by more than
#: this multiple of what its items explain, whichever is greater: then something other than the loss decides it.
LOOSE, LOOSE_OVER_ITEMS = 0.05, 2.0


class LinkStatus(StrEnum):
    """What a task's link is good for."""

    FOLLOWS = "follows the loss"
    NOT_YET = "has not moved"
    CONSTANT = "is the same in all runs"
    UNRELATED = "does not follow the loss"
    TOO_FEW = "too few data"

    @property
    def gives_numbers(self) -> bool:
        return self in (LinkStatus.FOLLOWS, LinkStatus.NOT_YET)


def judge_rows(rows: MetricRows) -> tuple[LinkStatus, str] | None:
    """What forbids a link before any is fitted, with the reason; None for nothing."""
    losses, share = rows.link_rows.loss, rows.link_rows.share
    if min(rows.n, len(np.unique(losses))) < LEAST_ROWS:
        missing = f", {rows.n_missing} without a number" if rows.n_missing else ""
        found = f"{rows.n} rows{missing}, {len(np.unique(losses))} losses"
        return (
            LinkStatus.TOO_FEW,
            f"{rows.name}: a link takes at least {LEAST_ROWS} rows of as many losses; got {found}",
        )
    if np.ptp(share) == 0:
        value = rows.natural(np.full(3, share[0]))[0]
        why = f"{rows.name} is {value:g} in all {rows.n} runs: nothing tells at which loss it would move"
        return LinkStatus.CONSTANT, why
    rank, p = rows.association
    if p < REVERSED:
        why = f"{rows.name} gets worse as the loss falls (rank correlation {rank:.2f}, p = {p:.2g})"
        return LinkStatus.UNRELATED, f"{why}: it does not follow the loss, and no forecast through the loss is made"
    return None


def judge_link(rows: MetricRows, link: TaskLink) -> tuple[LinkStatus, str]:
    """The status of a link that was fitted, and what to say of it."""
    flat = link.weights[FLAT]
    if flat < 0.5:
        return LinkStatus.FOLLOWS, ""
    noise = float(np.median(link.draws[FLAT].of_a_run))
    if noise > max(LOOSE, LOOSE_OVER_ITEMS * (rows.items_noise or 0.0)):
        scatter = f"{rows.name} scatters by {rows.width_of(np.array(noise)):.2g} whatever the loss"
        return LinkStatus.UNRELATED, f"{scatter}: it does not follow the loss, and no forecast through the loss is made"
    return (
        LinkStatus.NOT_YET,
        f"{rows.name} has not moved with the loss so far (probability {flat:.2f}): the forecast is its level, and the "
        "interval allows for a rise",
    )
