"""Which scheduling rule takes 10,000 jobs through 1,000 workers that fail, and what does it cost?

    python experiments/scale_simulation/run.py [--quick] [--only tasks] [--figure PATH]

1 core, about 2 minutes; --quick: seconds. Expect: see README.md beside this file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rates import RATES
from studies import FULL, QUICK, STUDIES


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="400 jobs on 40 workers, one seed")
    parser.add_argument(
        "--only",
        choices=("rules", "tasks", "staying", "failures", "checkpoints", "takeovers"),
        help="one of the tables",
    )
    parser.add_argument("--figure", type=Path, metavar="PATH", help="draw it as a PNG (all tables)")
    given = parser.parse_args(words)
    if given.figure and given.only:
        parser.error("--figure needs all tables: leave --only out")
    for each in RATES:
        print(f"{each.name}: {each.per_thousand_node_days:,.2f} failures per 1,000 node-days ({each.source})")
    found = {}
    for name in [given.only] if given.only else STUDIES:
        found[name] = STUDIES[name](QUICK if given.quick else FULL)
        print(f"\n{name}: {' '.join(STUDIES[name].__doc__.split())}")
        print(found[name].round(4).to_string(index=False), flush=True)
    if given.figure:
        from makespans import draw  # matplotlib is slow to load

        draw(found, given.figure)


if __name__ == "__main__":
    main()
