"""Early signs of induction: what a run shows at a share of its training, and how well that foretells its end.

The sweep keeps numbers, not weights. A run is a function of its settings, to the bit, so its early weights are had by
training it once more up to that step; that the replay is the run is checked on the last loss recorded before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping.plan import cells, worker_count
from harness.training.device import resolve
from harness.training.evaluation import Evaluator
from harness.training.loop import training_steps
from harness.training.members import Stack

#: Shares of training at which a run is looked at.
SHARES = (0.25, 0.5)
#: Evaluation examples whose attention is read; 1,024 answers each of 24 positions would say the same.
N_READ = 256
#: Each sign, and whether more of it promises the ability (+1) or less (-1).
SIGNS = {"prefix_matching": 1, "previous_token": 1, "loss": -1, "token_accuracy": 1}


def early_signs(studies: Sequence[Settings], recorded: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A row for each (run, share of training) of the studies, kept in `path` so that no run is replayed twice.

    Args:
        recorded: `harness.load(..., steps="all", runs="all")` of these studies, to check the replays by.
    """
    known = pd.read_csv(path) if path.exists() else pd.DataFrame({"run_id": []})
    jobs = [
        replace(cell, members=(member,))
        for study in studies
        for cell in cells(study)
        for member in cell.members
        if member.run_id not in set(known["run_id"])
    ]
    if jobs:
        losses = recorded[(recorded["metric"] == "loss") & (recorded["subtask"] == "all")]
        seen = [_last_before(losses, job) for job in jobs]
        workers = worker_count(studies[0], resolve(studies[0].training.device).type)
        with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
            rows = [row for rows in pool.map(replay, jobs, seen) for row in rows]
        known = pd.concat([known, pd.DataFrame(rows)], ignore_index=True) if len(known) else pd.DataFrame(rows)
        known.to_csv(path, index=False)
    return known


def _last_before(losses: pd.DataFrame, job: Job) -> tuple[int, float]:
    """Step and loss of the last evaluation that a replay of this run comes by."""
    run = losses[losses["run_id"] == job.members[0].run_id]
    last = run[run["step"] <= max(SHARES) * job.steps].nlargest(1, "step").iloc[0]
    return int(last["step"]), float(last["value"])


@torch.no_grad()
def replay(job: Job, seen: tuple[int, float]) -> list[dict[str, object]]:
    """The signs of one run at each share, from training it again as `harness.training.loop` does.

    Raises:
        RuntimeError: the loss at a step differs from the recorded one.
    """
    torch.set_num_threads(1)
    settings, device = job.settings, resolve(job.settings.training.device)
    stack, evaluator = Stack.of(job, device), Evaluator(settings, device)
    at = {round(share * job.steps): share for share in SHARES}
    rows = []
    for step, _ in zip(range(1, max(at) + 1), training_steps(job, stack, device), strict=False):
        if step in at or step == seen[0]:
            measured = {row["metric"]: row["value"] for row in evaluator.measure(stack)[0]}
            if step == seen[0] and not math.isclose(measured["loss"], seen[1], rel_tol=1e-6):
                raise RuntimeError(f"{job.label}: loss {measured['loss']} at step {step}, and {seen[1]} in the sweep")
            if step in at:
                member = job.members[0]
                about = {"run_id": member.run_id, "study": settings.study, "seed": member.seed, "share": at[step]}
                scores = {name: measured[name] for name in SIGNS if name in measured}
                rows.append(about | {"width": job.rung.shape.width} | scores | _attention(job, stack, evaluator))
    return rows


def _attention(job: Job, stack: Stack, evaluator: Evaluator) -> dict[str, float]:
    """Attention that the best head gives to what an induction circuit looks at (Olsson et al. 2022)."""
    settings = job.settings
    model = settings.family.build(job.rung.shape, settings.task.signature, settings.parametrization)
    model.load_state_dict({name: values[0] for name, values in stack.by_name().items()})
    tokens, scored = evaluator.inputs[:N_READ], evaluator.batch.scored[:N_READ]
    weights_BLHTT = model.attention_weights(tokens).numpy()
    previous, following = circuit(tokens.numpy())
    read = np.ones_like(scored)
    read[:, 0] = False  # nothing came before the first token
    return {
        "previous_token": _best_head(weights_BLHTT, previous, read),
        "prefix_matching": _best_head(weights_BLHTT, following, scored),
    }


def circuit(tokens_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, T, T) bool each: where position t finds the token before it, and what followed its own token earlier.

    Both wherever these tokens stand up to t, for the sequences repeat themselves.
    """
    same = tokens_BT[:, :, None] == tokens_BT[:, None, :]
    previous, following = np.zeros_like(same), np.zeros_like(same)
    previous[:, 1:] = same[:, :-1]
    following[:, :, 1:] = same[:, :, :-1]
    T = tokens_BT.shape[1]
    return previous & np.tri(T, k=-1, dtype=bool), following & np.tri(T, dtype=bool)


def _best_head(weights_BLHTT: np.ndarray, marks_BTT: np.ndarray, read_BT: np.ndarray) -> float:
    on_marks_BLHT = (weights_BLHTT * marks_BTT[:, None, None]).sum(axis=-1)
    return float(np.moveaxis(on_marks_BLHT, 0, 2)[:, :, read_BT].mean(axis=-1).max())


def concordance(sign: np.ndarray, able: np.ndarray, cell: np.ndarray) -> float:
    """AUC within cells: of all pairs of runs of one cell, one able and one not, how many the sign puts in order."""
    right, pairs = 0.0, 0
    for name in np.unique(cell):
        yes, no = sign[(cell == name) & able], sign[(cell == name) & ~able]
        difference = yes[:, None] - no[None]
        right += (difference > 0).sum() + 0.5 * (difference == 0).sum()
        pairs += difference.size
    return right / pairs if pairs else float("nan")


def foretold(signs: pd.DataFrame, n_draws: int = 2000, level: float = 0.95) -> pd.DataFrame:
    """AUC and rank correlation of each sign with the end of the run, within cells of one size and duration.

    Args:
        signs: `early_signs`, with columns final (a run's last token accuracy) and able (bool).

    Returns:
        A row per share and sign: auc, auc_low, auc_high (bootstrap over the runs of each cell), rank_correlation of
        sign and final accuracy (both ranked within their cell), with its interval.
    """
    rng, rows = np.random.default_rng(0), []
    for share, part in signs.groupby("share"):
        cell = (part["study"] + part["width"].astype(str)).to_numpy()
        places = [np.flatnonzero(cell == name) for name in np.unique(cell)]
        draws = [np.concatenate([rng.choice(p, len(p)) for p in places]) for _ in range(n_draws)]
        able, final = part["able"].to_numpy(bool), part["final"].to_numpy()
        for name, direction in SIGNS.items():
            sign = direction * part[name].to_numpy()
            auc = [concordance(sign[i], able[i], cell[i]) for i in (np.arange(len(part)), *draws)]
            rank = [_rank_correlation(sign[i], final[i], cell[i]) for i in (np.arange(len(part)), *draws[:500])]
            row = {"share": share, "sign": name, "auc": auc[0], "rank_correlation": rank[0]}
            rows.append(row | _interval("auc", auc[1:], level) | _interval("rank", rank[1:], level))
    return pd.DataFrame(rows)


def _rank_correlation(a: np.ndarray, b: np.ndarray, cell: np.ndarray) -> float:
    ranks = pd.DataFrame({"a": a, "b": b}).groupby(cell).rank(pct=True)
    return float(ranks["a"].corr(ranks["b"]))


def _interval(name: str, draws: Iterable[float], level: float) -> dict[str, float]:
    low, high = np.nanquantile(list(draws), [(1 - level) / 2, (1 + level) / 2])
    return {f"{name}_low": float(low), f"{name}_high": float(high)}
