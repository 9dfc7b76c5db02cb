"""Forecasts of N* by skill and group of seeds, those of two naive ways beside them, and what the larger models gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import harness
from harness.analysis.planning.foretell import foretell
from harness.report.axes import as_file
from harness.report.foretell_plots import plot_foretold
from harness.wording import count, interval

SIZE = "params_non_embedding"
#: Rare skills -> bits of each and its share of pretraining.
SKILLS = {2: (3, 0.06), 3: (3, 0.045), 4: (3, 0.03), 5: (2, 0.015), 6: (2, 0.01), 7: (4, 0.2), 8: (4, 0.14)}
#: Examples of all skills that pretraining shows.
SHOWN = 3000 * 256
#: What pretraining is taken to be worth: what the runs leave open, or the examples of the skill that it showed.
FREE, AT_SEEN = "free", "at the examples seen"
#: Accuracy half way from chance to 1: what N* is the place of.
ABLE = 0.75
WAYS = (FREE, AT_SEEN, "twice the largest", "loss extrapolated")
#: Seeds that one forecast is made from, in a row; and all of them.
GROUP, ALL = 6, "all"


def forecasts(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a skill, group of seeds and way."""
    rows = []
    for skill, (_, share) in SKILLS.items():
        of_skill = scores[scores["skill"] == skill]
        for seeds, chosen in _groups(of_skill):
            part = of_skill[of_skill["seed"].isin(chosen)]
            about = {"skill": skill, "seeds": seeds}
            for way, at in ((FREE, None), (AT_SEEN, share * SHOWN)):
                rows.append(about | {"way": way} | _foretold(part, at))
            rows += [about | row for row in _naive(part)]
    return rows


def _groups(scores: pd.DataFrame) -> Iterator[tuple[str, list[int]]]:
    seeds = sorted(scores["seed"].unique().tolist())
    for at in range(0, len(seeds), GROUP):
        yield f"{seeds[at]} to {seeds[at : at + GROUP][-1]}", seeds[at : at + GROUP]
    yield ALL, seeds


def _foretold(part: pd.DataFrame, at: float | None) -> dict[str, Any]:
    parents = part["width"].astype(str) + "-" + part["seed"].astype(str)
    found = harness.ThresholdForecaster(at=at).fit(part[[SIZE, "amount"]], part["accuracy"], parents, chance=0.5)
    ends = {"threshold": found.threshold_, "low": found.low_, "high": found.high_}
    return {name: _plain(value) for name, value in ends.items()} | {
        "status": str(found.status_),
        "message": found.message_,
        "p_value": found.p_value_,
        "calibration": _plain(found.calibration_),
    }


def _naive(part: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Twice the largest size; and where a line through the zero-shot loss against ln N comes half way down from chance,
    where it falls."""
    nothing: dict[str, Any] = {"low": None, "high": None, "status": "forecast", "message": "", "p_value": None}
    yield {"way": WAYS[2], "threshold": 2.0 * float(part[SIZE].max())} | nothing
    family = part[part["amount"] == 0]
    slope, level = np.polyfit(np.log(family[SIZE]), family["loss"], 1)
    place = float(np.exp((np.log(2) / 2 - level) / slope)) if slope < 0 else None
    status = "forecast" if place is not None and place < 1e12 else "not identifiable"
    yield {"way": WAYS[3], "threshold": place} | nothing | {"status": status}


def _plain(value: float) -> float | str | None:
    """As JSON has it."""
    return None if np.isnan(value) else float(value) if np.isfinite(value) else str(value)


def compared(made: list[dict[str, Any]], scores: pd.DataFrame) -> pd.DataFrame:
    """Forecasts beside N* found in the whole family, all seeds: whether the interval holds it, and the error in steps.

    N* off the ladder is a hit where the interval reaches beyond the largest size and the value lies there too.
    """
    table = pd.DataFrame(made)
    for name in ("threshold", "low", "high"):
        table[name] = table[name].astype(float)
    family = family_of(scores)
    found = harness.thresholds(family.assign(subtask=family["skill"].astype(str)), x=SIZE)
    found = found.set_index(found["subtask"].astype(int))
    sizes = np.log(np.sort(family[SIZE].unique()))
    step = float(np.median(np.diff(sizes)))
    for name in ("threshold", "threshold_low", "threshold_high"):
        table[name.replace("threshold", "found")] = table["skill"].map(found[name])
    table["held"] = table["found"].between(table["low"], table["high"])
    overlap = (table["low"] <= table["found_high"]) & (table["high"] >= table["found_low"])
    table["overlaps"] = overlap & table["low"].notna()
    table["error"] = np.log(table["threshold"] / table["found"]) / step
    table["span"] = np.log(table["high"] / table["low"]) / step
    return table


def _best(scores: pd.DataFrame) -> pd.Series:
    """Accuracy of the largest models in each skill."""
    largest = scores[(scores["amount"] == 0) & (scores["width"] == scores["width"].max())]
    return largest.groupby("skill")["accuracy"].mean()


def family_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Accuracies of the family in the rare skills, as `harness.thresholds` takes them."""
    family = scores[(scores["amount"] == 0) & scores["skill"].isin(list(SKILLS))]
    return family.assign(metric="accuracy", value=family["accuracy"], chance=0.5, n_eval=256)


def report(made: dict[str, Any], table: pd.DataFrame, scores: pd.DataFrame, figure: Path | None) -> None:
    """Print the tables, and draw the figure where it has a path."""
    print(f"forecasts made {made['made']}, sha256 {made['sha256']}")
    for skill, (bits, share) in SKILLS.items():
        rows = table[(table["skill"] == skill) & (table["way"] == FREE)]
        seen = rows.iloc[0]
        where = interval(seen["found"], seen["found_low"], seen["found_high"])
        told = f"found N* {where}; accuracy {_best(scores)[skill]:.2f} at width {scores['width'].max()}"
        print(f"skill {skill} ({bits} bits, {100 * share:g} % of pretraining): {told}")
        for _, row in table[(table["skill"] == skill) & table["way"].isin([FREE, AT_SEEN])].iterrows():
            told = f"{interval(row['threshold'], row['low'], row['high'])}, holds it: {'yes' if row['held'] else 'no'}"
            said = told if row["status"] == "forecast" else f"{row['status']}: {row['message']}"
            print(f"  {row['way']}, seeds {row['seeds']}: {said}")
    placed = table[table["found"].notna()]
    print("errors in steps of half an octave of width")
    if (short := placed.loc[placed["skill"].map(_best(scores)) < ABLE, "skill"].unique()).size:
        print(f"not counted, for the largest models are not half way up: skills {', '.join(map(str, short))}")
        placed = placed[~placed["skill"].isin(short)]
    together = placed["seeds"].str.startswith(ALL)
    for way, apart in product(WAYS, (True, False)):
        rows = placed[(placed["way"] == way) & (together != apart)]
        given = rows[rows["status"] == "forecast"]
        error = given["error"].abs()
        seeds = "groups of seeds" if apart else "all seeds"
        line = f"{way}, {seeds}: {len(given)} of {len(rows)} forecast"
        line += f"; |error| median {error.median():.1f}, worst {error.max():.1f}"
        if given["low"].notna().any():
            line += f"; interval holds N* in {int(given['held'].sum())} of {len(given)}, overlaps its interval in "
            line += f"{int(given['overlaps'].sum())}; median length {given['span'].median():.1f} steps"
        print(line)
    off = table.loc[table["found"].isna(), "skill"].unique()
    if len(off):
        print(f"N* not on the ladder, up to {count(scores[SIZE].max())}: skills {', '.join(map(str, off))}")
    if figure is not None:
        _draw(scores, figure)


def _draw(scores: pd.DataFrame, path: Path) -> None:
    """The forecasts at the examples seen, of all seeds, with what was found."""
    rows = scores[scores["skill"].isin(list(SKILLS))].assign(metric="accuracy", chance=0.5)
    rows = rows.assign(value=rows["accuracy"], subtask="skill " + rows["skill"].astype(str), study="")
    parts = [
        foretell(rows[rows["skill"] == skill], SIZE, "amount", at=share * SHOWN) for skill, (_, share) in SKILLS.items()
    ]
    found = replace(parts[0], forecasters={key: fit for part in parts for key, fit in part.forecasters.items()})
    family = family_of(scores)
    family = family.assign(subtask="skill " + family["skill"].astype(str), study="")
    placed = harness.thresholds(family, x=SIZE)
    ends = {f"threshold{end}": f"observed{end}" for end in ("", "_low", "_high")}
    axes = plot_foretold(found, placed.rename(columns=ends))
    path.write_bytes(as_file(axes[0], "png"))
