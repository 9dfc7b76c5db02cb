"""Does the vocabulary change the exponent with which bits per byte fall with size?

    python experiments/vocabulary/run.py [--results FOLDER]
    (2 cores, about 5 minutes; what is trained already is not trained again)

Trains six widths x three seeds by bytes and by BPEs of 512 and 2,048 tokens, and fits bits per byte and loss to two
counts of N: all parameters, or those that are neither embedding nor readout.
"""

from __future__ import annotations

import argparse

import pandas as pd

import harness

SIZES = ("params_non_embedding", "params_total")
METRICS = ("bits_per_byte", "loss")


def exponent(runs: pd.DataFrame, size: str) -> dict[str, object]:
    """Of A / N^alpha, with a floor E where AICc asks for one; runs of a size share nothing but the size."""
    laws = [harness.PowerLaw(irreducible=floor).fit(runs[size], runs["value"]) for floor in (False, True)]
    best = min(laws, key=lambda law: law.aicc_)
    low, high = best.intervals_["alpha"]
    floor = best.params_.get("E")
    return {
        "alpha": f"{best.params_['alpha']:.3f} ({low:.3f} to {high:.3f})",
        "floor": "none" if floor is None else f"{floor:.3f}",
        "scatter": f"{best.noise_:.2%}",
        "status": best.status_.value,
    }


def laws(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each metric, count of N and vocabulary."""
    whole = frame[frame["subtask"] == "all"]
    rows = []
    for metric in METRICS:
        for size in SIZES:
            for study, runs in whole[whole["metric"] == metric].groupby("study", sort=False):
                ends = runs.groupby(size)["value"].mean()
                about = {"metric": metric, "N": size.removeprefix("params_"), "study": study, "runs": len(runs)}
                fell = {"smallest": f"{ends.iloc[0]:.3f}", "largest": f"{ends.iloc[-1]:.3f}"}
                rows.append(about | fell | exponent(runs, size))
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default="results/vocabulary", help="folder of the runs (default: %(default)s)")
    frame = harness.sweep("experiment=vocabulary", results=parser.parse_args().results)
    print(laws(frame).to_string(index=False))


if __name__ == "__main__":
    main()
