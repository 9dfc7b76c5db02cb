"""How often losses at chance are taken for learning, and what improvement is seen.

    python experiments/guessing/run.py [--studies 4000] [--seed 7]

1 core, about half a minute. Expect: at most 1.5 % at chance (2.5 % with two seeds at three sizes); an improvement of 4
standard deviations of a run seen in 99 % with 7 sizes x 3 seeds; one seed that learns everything always seen.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from harness.analysis.fitting.guessing import judge_guessing
from harness.analysis.runs import gather_runs

CHANCE = float(np.log(2))
#: Standard deviation of a run about its mean.
NOISE = 0.002


def share_learnt(
    rng: np.random.Generator, n: int, below: np.ndarray, seeds: int, noise: float | np.ndarray = NOISE, learnt: int = 0
) -> float:
    """Share of n studies taken to have learnt something.

    Args:
        below: (R,) how far each size's mean lies below chance.
        noise: of a run, or (R,) of the runs of each size.
        learnt: largest sizes at which one seed has learnt everything.
    """
    x = np.repeat(1000.0 * 2 ** np.arange(len(below)), seeds)
    found = 0
    for _ in range(n):
        scatter = np.broadcast_to(noise, len(below))[:, None] * rng.standard_normal((len(below), seeds))
        loss = CHANCE - below[:, None] + scatter
        loss[len(below) - learnt :, 0] = 0.01
        judged = judge_guessing(gather_runs(x, loss.ravel()), CHANCE)
        found += judged is not None and not judged.nothing_learnt
    return found / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000, help="planted studies of each kind at chance")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    rng, few = np.random.default_rng(given.seed), given.studies // 4
    rows = []
    for sizes, seeds in ((8, 5), (7, 3), (5, 2), (4, 3), (4, 2), (3, 2)):
        nothing = np.zeros(sizes)
        improved = [np.append(nothing[1:], multiple * NOISE) for multiple in (2, 3, 4)]
        rows.append(
            {
                "sizes": sizes,
                "seeds": seeds,
                "at chance": share_learnt(rng, given.studies, nothing, seeds),
                "noise grows 5x": share_learnt(rng, few, nothing, seeds, NOISE * np.geomspace(1, 5, sizes)),
                **{
                    f"largest {k} sd below": share_learnt(rng, few, below, seeds)
                    for k, below in zip((2, 3, 4), improved, strict=True)
                },
                "one seed of the largest": share_learnt(rng, few // 4, nothing, seeds, learnt=1),
                "one seed of every size": share_learnt(rng, few // 4, nothing, seeds, learnt=sizes),
            }
        )
    print("share of planted studies taken to have learnt something")
    print(pd.DataFrame(rows).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
