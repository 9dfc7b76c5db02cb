"""Early signs inside training: does the first share of a run say whether an ability is coming?

    python experiments/early_signs/run.py [--table]

2 cores, about 8 minutes; what is trained already is not trained again. --table prints the tables from
experiments/early_signs/results, in seconds, and trains nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import harness

HERE = Path(__file__).parent
#: Studies whose runs jump, with the score that does; and controls.
ABILITIES = {"induction": "token_accuracy", "parity": "accuracy", "modular_addition": "token_accuracy"}
CONTROLS = {"digits": "accuracy", "text": "accuracy"}
#: Shares of training at which signs are read.
SHARES = (0.05, 0.10, 0.25, 0.50)
SIGNS = {
    "loss": "- loss, the mean log-probability of the right answer",
    "loss drop": "fall of the loss since the first evaluation",
    "loss slope": "fall of the loss for each factor e of steps, over the later half",
    "loss bend": "the same less that of the earlier half",
    "score": "the score itself, mean of the last two evaluations",
    "score slope": "its rise for each factor e of steps, over the later half",
}
DRAWS, LEVEL = 2000, 0.95
#: Share of its rise at which an ability sets in; a run that has come so far is no longer foretold but seen.
ONSET = 0.1
#: Steps of a run.
STEPS = {"induction": 500, "parity": 3000, "modular_addition": 1500}


# ----------------------------------------------------------------------------------------------------------- the runs


def read_runs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a run and subtask with what became of it, and a row a run, subtask and share with its signs."""
    harness.sweep("experiment=early_signs")
    frame = harness.load("results/early_signs", steps="all", runs="all")
    frame = frame[(frame["split"] == "eval") & ~((frame["study"] == "parity") & (frame["subtask"] == "all"))]
    ends, signs = [], []
    for study, metric in (ABILITIES | CONTROLS).items():
        own = frame[frame["study"] == study]
        jumps = harness.jumps_in_training(own, metric).drop(columns="task", errors="ignore")
        onset = harness.jumps_in_training(own, metric, fraction=ONSET)["place"]
        jumps = jumps.assign(onset=onset)
        about = own.drop_duplicates("run_id").set_index("run_id")[["width", "seed"]]
        ends.append(jumps.join(about, on="run_id"))
        if study in ABILITIES:
            signs.append(_signs_of(own, study, metric))
    return pd.concat(ends), pd.concat(signs)


def _signs_of(frame: pd.DataFrame, study: str, metric: str) -> pd.DataFrame:
    rows = []
    steps = frame["step"].max()
    for (run_id, subtask), run in frame.groupby(["run_id", "subtask"]):
        wide = run.pivot_table(index="step", columns="metric", values="value").sort_index()
        for share in SHARES:
            seen = wide[wide.index <= share * steps * (1 + 1e-9)]
            rows.append({"study": study, "run_id": run_id, "subtask": subtask, "share": share} | _signs(seen, metric))
    return pd.DataFrame(rows)


def _signs(seen: pd.DataFrame, metric: str) -> dict[str, float]:
    t, loss, score = np.log(seen.index.to_numpy(float)), seen["loss"].to_numpy(), seen[metric].to_numpy()
    half = len(t) // 2
    late = slice(min(half, len(t) - 2), None)
    slope = -_slope(t[late], loss[late])
    return {
        "loss": -loss[-1],
        "loss drop": loss[0] - loss[-1],
        "loss slope": slope,
        "loss bend": slope + _slope(t[: max(half, 2)], loss[: max(half, 2)]),
        "score": score[-2:].mean(),
        "score slope": _slope(t[late], score[late]),
    }


def _slope(t: np.ndarray, y: np.ndarray) -> float:
    t = t - t.mean()
    return float(t @ y / (t @ t))


# --------------------------------------------------------------------------------------------------- how well they tell


def at_risk(ends: pd.DataFrame, signs: pd.DataFrame, come: str) -> pd.DataFrame:
    """The signs of runs that have not risen yet, with whether a jump came later (True) or no rise at all (False).

    Args:
        come: column of the step at which a run has: onset, at a tenth of the rise, or place, at half of it.
    """
    table = signs.merge(ends, on=["study", "run_id", "subtask"])
    yet = table["place"].isna() | (table[come] > table["share"] * table["study"].map(STEPS))
    known = table["jumped"] | table["place"].isna()  # a rise that is no jump is neither
    return table[yet & known].assign(later=lambda part: part["jumped"])


def auc(part: pd.DataFrame, sign: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """AUC of pairs of one width and subtask, one with a later jump and one without; its interval, over drawn runs."""
    runs = {name: i for i, name in enumerate(part["run_id"].unique())}
    width = part.drop_duplicates("run_id").set_index("run_id")["width"].to_numpy()
    weight = np.ones((DRAWS + 1, len(runs)))
    for each in np.unique(width):
        own = np.flatnonzero(width == each)
        weight[1:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=DRAWS)
    right, pairs = np.zeros(DRAWS + 1), np.zeros(DRAWS + 1)
    for _, cell in part.groupby(["width", "subtask"]):
        yes, no = (cell[cell["later"] == later] for later in (True, False))
        order = np.subtract.outer(yes[sign].to_numpy(), no[sign].to_numpy())
        of_yes, of_no = (weight[:, each["run_id"].map(runs).to_numpy(int)] for each in (yes, no))
        right += np.einsum("bi,ij,bj->b", of_yes, (order > 0) + 0.5 * (order == 0), of_no)
        pairs += of_yes.sum(axis=1) * of_no.sum(axis=1)
    with np.errstate(invalid="ignore"):
        drawn = right / pairs
    tail = (1 - LEVEL) / 2
    return float(drawn[0]), *(float(end) for end in np.nanquantile(drawn[1:], [tail, 1 - tail]))


def tell(table: pd.DataFrame) -> pd.DataFrame:
    """A row an ability, share and sign: auc, low, high, n_later, n_none."""
    rng, rows = np.random.default_rng(0), []
    for (study, share), part in table.groupby(["study", "share"], sort=False):
        cells = part.groupby(["width", "subtask"])["later"].agg(["sum", "size"])
        mixed = cells.index[(cells["sum"] > 0) & (cells["sum"] < cells["size"])]
        part = part.set_index(["width", "subtask"]).loc[mixed].reset_index()
        if part.empty:
            continue
        counts = {"n_later": int(part["later"].sum()), "n_none": int((~part["later"]).sum())}
        for sign in SIGNS:
            found = dict(zip(("auc", "low", "high"), auc(part, sign, rng), strict=True))
            rows.append({"study": study, "share": share, "sign": sign} | found | counts)
    return pd.DataFrame(rows)


def held_out(told: pd.DataFrame) -> Iterator[dict[str, object]]:
    """For each ability and share: the sign that tells best of the other abilities, and what it tells of this one."""
    for (study, share), own in told.groupby(["study", "share"], sort=False):
        others = told[(told["study"] != study) & (told["share"] == share)]
        if others["study"].nunique() < len(ABILITIES) - 1:
            continue
        chosen = others.groupby("sign")["auc"].mean().idxmax()
        yield own[own["sign"] == chosen].iloc[0].to_dict()


# ------------------------------------------------------------------------------------------------------------- tables


def _cell(row: pd.Series) -> str:
    return f"{row['auc']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def report(ends: pd.DataFrame, signs: pd.DataFrame) -> None:
    print("What became of the runs")
    counted = ends.assign(rose=ends["place"].notna()).groupby(["study", "subtask", "width"], sort=False)
    shown = counted.agg(
        runs=("jumped", "size"), jumped=("jumped", "sum"), rose=("rose", "sum"), place=("place", "median")
    )
    print(shown.round(0).to_string())
    told = tell(at_risk(ends, signs, "onset"))
    print(f"\nAUC of a jump whose onset is still to come against none, {LEVEL:.0%} intervals over runs; .5 is chance")
    for study, part in told.groupby("study", sort=False):
        sizes = part.drop_duplicates("share").set_index("share")
        print(f"{study}; " + ", ".join(f"{s:.0%}: {r['n_later']} and {r['n_none']} runs" for s, r in sizes.iterrows()))
        table = part.assign(cell=part.apply(_cell, axis=1)).pivot(index="sign", columns="share", values="cell")
        print(table.reindex(SIGNS).rename(columns="{:.0%}".format).to_string())
    for come, what in (("onset", "onset"), ("place", "half of its rise")):
        told = told if come == "onset" else tell(at_risk(ends, signs, come))
        print(f"\nAn ability that had no part in the choice of the sign; its {what} is still to come")
        rows = pd.DataFrame(list(held_out(told)))
        rows = rows.assign(AUC=rows.apply(_cell, axis=1), share=rows["share"].map("{:.0%}".format))
        print(rows[["study", "share", "sign", "AUC", "n_later", "n_none"]].to_string(index=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="print the tables from the stored results")
    if not parser.parse_args().table:
        ends, signs = read_runs()
        (HERE / "results").mkdir(exist_ok=True)
        ends.round(5).to_csv(HERE / "results" / "ends.csv", index=False)
        signs.round(5).to_csv(HERE / "results" / "signs.csv", index=False)
    report(*(pd.read_csv(HERE / "results" / f"{name}.csv") for name in ("ends", "signs")))


if __name__ == "__main__":
    main()
