"""Does the vocabulary change the exponent with which bits per byte fall with size?

    python experiments/vocabulary/run.py [--results FOLDER]
    (2 cores, about 3 minutes; what is trained already is not trained again)

Trains six widths x three seeds by bytes and by BPEs of 512 and 2,048 tokens, and fits bits per byte to two counts of N:
all parameters, or those that are neither embedding nor readout. A / N^alpha is fitted to each vocabulary by itself,
with a floor E and without; whether one exponent serves all three is asked by an F test.
"""

from __future__ import annotations

import argparse

import pandas as pd

import harness

SIZES = ("params_non_embedding", "params_total")
LAWS = {"power": "A / N^alpha", "power_floor": "E + A / N^alpha"}


def laws(runs: pd.DataFrame, size: str, law: str) -> tuple[pd.DataFrame, str]:
    """A row for each vocabulary, and whether one exponent serves all of them."""
    fitted = harness.fit_groups(runs[size], runs["value"], runs["study"], ["alpha"], law=law, name="vocabulary")
    rows = []
    for vocabulary, fit in fitted.fits.items():
        low, high = fit.intervals_["alpha"]
        floor = fit.params_.get("E")
        rows.append(
            {
                "N": size.removeprefix("params_"),
                "law": LAWS[law],
                "vocabulary": vocabulary,
                "alpha": f"{fit.params_['alpha']:.3f} ({low:.3f} to {high:.3f})",
                "floor": "" if floor is None else f"{floor:.2f}",
                "scatter": f"{fit.noise_:.2%}",
                "AICc": f"{fit.aicc_:.1f}",
                "status": fit.status_.value,
            }
        )
    return pd.DataFrame(rows), "" if fitted.test is None else fitted.test.verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default="results/vocabulary", help="folder of the runs (default: %(default)s)")
    frame = harness.sweep("experiment=vocabulary", results=parser.parse_args().results)
    runs = frame[(frame["subtask"] == "all") & (frame["metric"] == "bits_per_byte")]
    for size in SIZES:
        for law in LAWS:
            table, verdict = laws(runs, size, law)
            print(f"\n{table.to_string(index=False)}\n{verdict}")


if __name__ == "__main__":
    main()
