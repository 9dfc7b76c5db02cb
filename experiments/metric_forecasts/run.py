"""Accuracies of large runs, forecast from small ones through the loss: errors, and how many intervals hold.

    python experiments/metric_forecasts/run.py [links | benchmarks | pythia] [--tables 20] [--seed 1] [--data FOLDER]
    python experiments/metric_forecasts/run.py --table TABLE --x N,D --y 'bpb_*' --metric 'acc_*' --seen "N < 2e9"

1 core, 6 minutes; all three parts where none is named. With --table, runs of a table of your own are held back.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks import EIGHT, MANY, Planted, plant
from plain import two_steps
from pythia import read_tasks

from harness import Chain
from harness.analysis.planning.link_posterior import LinkRows, draw_link
from harness.analysis.planning.link_prior import LinkPrior
from harness.analysis.planning.links import LINKS, risen
from harness.analysis.planning.task_links import fit_task_links
from harness.commands.column_patterns import read_layout
from harness.errors import UserError
from harness.records.columns import number_column
from harness.records.expressions import select
from harness.records.table import read_rows


@dataclass
class Tally:
    """Forecasts against what was held back."""

    errors: list[np.ndarray] = field(default_factory=list)
    plain: list[np.ndarray] = field(default_factory=list)
    held: list[np.ndarray] = field(default_factory=list)
    halves: list[np.ndarray] = field(default_factory=list)

    def add(self, found: pd.DataFrame, observed: np.ndarray, plain: np.ndarray) -> None:
        """Forecasts (m,) with predicted, low and high, what came, and the plain two steps' forecasts."""
        known = np.isfinite(observed)
        found, observed, plain = found[known], observed[known], plain[known]
        self.errors.append(np.abs(found["predicted"].to_numpy() - observed))
        self.plain.append(np.abs(plain - observed))
        self.held.append(((found["low"] <= observed) & (observed <= found["high"])).to_numpy())
        self.halves.append((found["high"] - found["low"]).to_numpy() / 2)

    def row(self) -> dict[str, float]:
        """Points are hundredths of the metric; what has no number is counted and left out."""
        errors, plain, held, halves = map(np.concatenate, (self.errors, self.plain, self.held, self.halves))
        there = np.isfinite(errors)
        return {
            "forecasts": len(errors),
            "no number": int((~there).sum()),
            "error, points": 100 * _mean(errors[there]),
            "median": 100 * float(np.median(errors[there])) if there.any() else np.nan,
            "two steps": 100 * _mean(np.minimum(plain[there & np.isfinite(plain)], 1.0)),
            "hold, 95 %": _mean(held[there]),
            "half-width": 100 * float(np.median(halves[there])) if there.any() else np.nan,
        }


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


# ------------------------------------------------------------------------------------------------------------- planted


def links(given: argparse.Namespace) -> None:
    """How many 95 % intervals hold the curve beyond the runs, where the link is the truth."""
    rows = []
    for link in LINKS:
        for clusters in (None, 6):
            rng = np.random.default_rng(given.seed)
            held = [_holds(link, rng, clusters) for _ in range(20 * given.tables)]
            rows.append({"link": link, "runs": clusters or "each row", "tables": len(held), "hold": np.mean(held)})
    print(pd.DataFrame(rows).round(3).to_string(index=False))


def _holds(link: str, rng: np.random.Generator, clusters: int | None) -> np.ndarray:
    """Whether two places beyond the losses seen lie within their intervals, of a link drawn from its prior."""
    n = 48 if clusters else 16
    loss = rng.uniform(2.4, 4.4, n)
    floor, ceiling = rng.uniform(0.1, 0.4), 1 - min(abs(rng.normal(0, LinkPrior.ceiling_scale)), 0.5)
    width = loss.std() * np.exp(rng.normal(LinkPrior.width, 0.6))
    place = loss.mean() + loss.std() * rng.uniform(-1.5, 1)
    noise = 0.015 * np.exp(0.5 * rng.standard_normal())
    error, members = noise * rng.standard_normal(n), None
    if clusters:
        label = np.arange(n) % clusters
        members, error = np.eye(clusters)[label], error + noise * rng.standard_normal(clusters)[label]

    def share(at: np.ndarray) -> np.ndarray:
        return floor + (ceiling - floor) * risen(link, (place - at) / width)

    far = np.array([2.2, 1.9])
    rows = LinkRows(loss, np.clip(share(loss) + error, 0, 1), np.ones(n), members)
    prior = LinkPrior(floor + 0.05 * rng.standard_normal(), 0.05, float(rows.share.mean()), 0.015)
    drawn = draw_link(link, rows, prior, 2000, rng).column.at(far)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return np.asarray((low <= share(far)) & (share(far) <= high))


def benchmarks(given: argparse.Namespace) -> None:
    """Benchmarks made of items, each with its own loss, forecast from the sizes alone."""
    rows = []
    for name, ladder, count in (("8 tasks", EIGHT, given.tables), ("46 tasks", MANY, max(1, given.tables // 8))):
        tally, began = Tally(), time.perf_counter()
        for seed in range(count):
            _forecast(plant(ladder, np.random.default_rng([given.seed, seed])), tally)
        rows.append({"ladder": name, "tables": count} | tally.row() | {"seconds": time.perf_counter() - began})
    print(pd.DataFrame(rows).round(2).to_string(index=False))


def _forecast(planted: Planted, tally: Tally) -> None:
    items = pd.DataFrame({task: np.full(len(planted.seen), count) for task, count in planted.items.items()})
    chain = Chain().fit(
        planted.seen, planted.loss, planted.share, n_eval=items, chance=planted.chance, higher_is_better=True
    )
    found = chain.predict(planted.held)
    for task in planted.share:
        part = found[found["task"] == task]
        plain = two_steps(planted.seen, planted.loss[task].to_numpy(), planted.share[task].to_numpy(), planted.held)
        tally.add(part, planted.observed[task].to_numpy(), plain)


# --------------------------------------------------------------------------------------------------------------- tables


def pythia(given: argparse.Namespace) -> None:
    """Pythia's tasks at 2.8, 6.9 and 12 billion parameters, from models of up to 1.4 billion and their checkpoints.

    The loss is ln perplexity on LAMBADA, and is taken as known: this measures the links.
    """
    folder = given.data / "lm_eval_pythia"
    if not folder.is_dir():
        print(f"{folder}: not there (experiments/real_curves/README.md says where its files are from); skipped")
        return
    tally = Tally()
    for rows, held in read_tasks(folder):
        link = fit_task_links(
            {rows.name: rows.link_rows}, {rows.name: rows.prior}, list(LINKS), np.random.default_rng(0)
        )
        drawn = link[rows.name].of_runs(held["loss"].to_numpy(), 4000, np.random.default_rng(0))
        ends = dict(zip(("predicted", "low", "high"), np.quantile(drawn, [0.5, 0.025, 0.975], axis=0), strict=True))
        tally.add(pd.DataFrame(ends), held["share"].to_numpy(), np.full(len(held), np.nan))
    print(pd.DataFrame([tally.row()]).drop(columns="two steps").round(2).to_string(index=False))


def table(given: argparse.Namespace) -> None:
    """A table of the user's own: rows of --seen are fitted, the others of --where forecast."""
    frame = select(read_rows(given.table), given.where).kept
    seen = frame.index.isin(select(frame, given.seen).kept.index)
    losses, metrics = _columns(frame, given)
    x = pd.DataFrame({name: number_column(frame, name) for name in given.x.split(",")})
    chain = Chain().fit(x[seen], losses[seen], metrics[seen], chance=given.chance)
    found = chain.predict(x[~seen])
    tally, rows = Tally(), []
    for task in metrics:
        loss = losses[task] if task in losses else losses.iloc[:, 0]
        part, one = found[found["task"] == task], Tally()
        sizes = x.set_axis(["N", "D"], axis=1) if x.shape[1] == 2 else None
        plain = np.full((~seen).sum(), np.nan)
        if sizes is not None:
            plain = two_steps(sizes[seen], loss[seen].to_numpy(), metrics[task][seen].to_numpy(), sizes[~seen])
        for each in (tally, one):
            each.add(part, metrics[task][~seen].to_numpy(), plain)
        rows.append({"metric": task, "status": part["status"].iloc[0]} | one.row())
    print(pd.DataFrame(rows).round(2).to_string(index=False))
    print(pd.DataFrame([{"all": given.table.name} | tally.row()]).round(3).to_string(index=False))


def _columns(frame: pd.DataFrame, given: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Losses and metrics, a column a task."""
    pairs = [f"{given.metric}={given.y}"] if "*" in given.y else []
    layout = read_layout(frame, given.metric, pairs, None, None)
    names = {task: name for each in layout.measured for task, name in each.by_task.items()}
    metrics = pd.DataFrame({name: number_column(frame, name) for name in names.values()})
    if not layout.judges:
        return pd.DataFrame({"loss": number_column(frame, given.y)}), metrics
    (judge,) = layout.judges
    both = {task: name for task, name in names.items() if task in judge.by_task}
    losses = {name: number_column(frame, judge.by_task[task]) for task, name in both.items()}
    return pd.DataFrame(losses), metrics[list(both.values())]


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {"links": links, "benchmarks": benchmarks, "pythia": pythia}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--tables", type=int, default=20, help="planted tables of eight tasks (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the planted tables (1)")
    shared = Path(__file__).resolve().parents[3] / "shared" / "data" / "real"
    parser.add_argument("--data", type=Path, default=shared, help="folder of the published files")
    parser.add_argument("--table", type=Path, help="a table of your own")
    parser.add_argument("--x", default="N,D", help="its columns of sizes")
    parser.add_argument("--y", default="loss", help="its column of the loss, or a pattern")
    parser.add_argument("--metric", default="acc_*", help="its columns of metrics, or a pattern")
    parser.add_argument("--where", help="its rows, as `harness forecast` takes them")
    parser.add_argument("--seen", help="those that are fitted; the others are forecast")
    parser.add_argument("--chance", type=float, help="what a guesser scores")
    given = parser.parse_args()
    if given.table is not None:
        if given.seen is None:
            raise UserError('--table: --seen says which of its rows are fitted, such as "N < 2e9"')
        table(given)
        return
    if unknown := [part for part in given.parts if part not in PARTS]:
        raise UserError(f"{unknown[0]}: allowed is one of {', '.join(PARTS)}")
    for part in given.parts or PARTS:
        print(f"\n{part}: {PARTS[part].__doc__}", flush=True)
        PARTS[part](given)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"{error}")
