"""Thresholds of rare skills, foretold from small models that were fine-tuned, before the larger models are trained.

    python experiments/foretold_threshold/run.py            (2 cores; what is trained already is not trained again)
    python experiments/foretold_threshold/run.py --table    the tables that README quotes, from stored scores: seconds
    python experiments/foretold_threshold/run.py --planted 100      coverage and error rates on planted tables

Trains the five smallest widths of a family on a mixture of skills, fine-tunes them on growing amounts of each rare
skill, writes the forecasts to forecasts.json with their time and hash, then trains the larger widths and compares.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
sys.path.insert(0, str(HERE))

from comparison import SKILLS, compared, forecasts, report  # noqa: E402
from planted import measure  # noqa: E402
from stored import read_scores, scores_of, store  # noqa: E402

from harness.cli import main as command  # noqa: E402

SMALL, LARGER = [6, 8, 11, 16, 23], [32, 45, 64, 91, 128, 181]


def call(results: Path, *words: str) -> None:
    """Train; stops the script where the command fails."""
    if code := command(["sweep", f"results={results}", *words]):
        raise SystemExit(code)


def foretell_first(results: Path) -> dict[str, object]:
    """The forecasts, made of the small models alone and written once; those that are there are read."""
    path = results / "forecasts.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    scores = scores_of(results)
    larger = scores[(scores["amount"] == 0) & (scores["width"] > max(SMALL))]
    if len(larger):
        raise SystemExit(f"{results} has larger models already, and no forecasts that were made before them")
    found = forecasts(scores)
    text = json.dumps(found, sort_keys=True)
    content = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "forecasts": found,
    }
    path.write_text(json.dumps(content, indent=1))
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/foretold_threshold"))
    parser.add_argument("--table", action="store_true", help="tables and figure of the stored scores")
    parser.add_argument("--planted", type=int, metavar="TABLES", help="coverage and error rates instead")
    given = parser.parse_args()
    if given.planted:
        measure(given.planted)
        return
    if given.table:
        for stored, figure in ((HERE / "results/choosing", None), (HERE / "results/held_out", HERE / "figure.png")):
            print(f"== {stored.name}")
            made, scores = read_scores(stored)
            report(made, compared(made["forecasts"], scores), scores, figure)
        return
    results = given.results.resolve()
    os.chdir(HERE)
    call(results, "experiment=family", f"ladder.widths={SMALL}")
    for skill in SKILLS:
        words = ("experiment=tuned", f"study=skill_{skill}", f"task.only={skill}", f"init_from={results}/family")
        call(results, *words)
    made = foretell_first(results)
    print(f"forecasts of {made['made']}, sha256 {made['sha256']}")
    call(results, "experiment=family", f"ladder.widths={SMALL + LARGER}")
    scores = scores_of(results)
    store(made, scores, results / "stored")
    report(made, compared(made["forecasts"], scores), scores, results / "figure.png")
    print(f"stored: {results}/stored, figure: {results}/figure.png")


if __name__ == "__main__":
    main()
