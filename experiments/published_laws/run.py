"""Published scaling data measured anew: replication, speed, IsoFLOP against the surface, recovery, forecasts.

    python experiments/published_laws/run.py [--data FOLDER] [--only NAME] [--full]
    python experiments/published_laws/run.py --table TABLE [--x params,tokens] [--y loss] [--where EXPRESSION]

1 core, about 4 minutes (the straightforward way is timed on a tenth of its job; --full: all of it, 6 minutes more).
--table: the forecasts alone, on runs of your own.
NAME: replication, speed, starts, isoflop, recovery, curves, forecasts, checkpoints.
"""

from __future__ import annotations

import os

# One core on both sides of every comparison.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

# The planted truths are those of the tests.
sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))

import chinchilla  # noqa: E402
import data  # noqa: E402
import forecasts  # noqa: E402
import others  # noqa: E402

from harness.errors import SettingError, UserError  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data.add_arguments(parser)
    parser.add_argument("--only", metavar="NAME", help="one measurement")
    parser.add_argument("--full", action="store_true", help="time the straightforward way on its whole job")
    parser.add_argument("--table", type=Path, help="forecast parts of this table instead")
    parser.add_argument("--x", default="params,tokens", help="its columns of N and D")
    parser.add_argument("--y", default="loss", help="its column of the loss")
    parser.add_argument("--where", help="its rows, as `harness fit` takes it")
    given = parser.parse_args()
    if given.table is not None:
        forecasts.honesty(forecasts.own_splits(given.table, given.x, given.y, given.where))
        return
    parts: dict[str, tuple[str, Callable[[], None]]] = {
        "replication": ("Chinchilla's surface replicated", lambda: chinchilla.replication(given.data)),
        "speed": ("Speed", lambda: chinchilla.speed(given.data, 1.0 if given.full else 0.1)),
        "starts": ("Default starts against many random ones", lambda: chinchilla.starts_suffice(given.data)),
        "isoflop": ("Exponent of the optimal N: parabolas and surface", lambda: others.isoflop(given.data)),
        "recovery": ("Planted parameters without noise, to 1e-6", others.recovery),
        "curves": ("Many curves at once", others.many_curves),
        "forecasts": ("Forecasts of what was held back", lambda: forecasts.honesty(forecasts.splits(given.data))),
        "checkpoints": ("Forecasts from checkpoints of planted runs", forecasts.checkpoint_coverage),
    }
    if given.only is not None and given.only not in parts:
        raise SettingError("--only", given.only, f"one of {', '.join(parts)}")
    for name in [given.only] if given.only else parts:
        title, measure = parts[name]
        print(f"\n{title}", flush=True)
        measure()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"{error}")
