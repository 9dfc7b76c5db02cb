"""The runs of Muennighoff et al. 2023, read out of the notebook in the authors' public repository."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pandas as pd

from harness.errors import DataError

#: Where the losses stand in a checkout of huggingface/datablations.
NOTEBOOK = Path("utils/parametric_fit.ipynb")
#: What a name says beside parameters, tokens and unique tokens: seeds, corpora, other hyper-parameters.
_BESIDE = re.compile(r"(seed\d|opt\d?|op2|c4|v2)")


def read_runs(checkout: Path) -> pd.DataFrame:
    """A row a run: N parameters, D training and U unique tokens, loss in nats; deduplicated corpora are left out.

    A run's name holds the three numbers one after another, ``2b855b9b`` for 2.8 billion parameters, 55 billion tokens
    and 9 billion unique ones.

    Raises:
        DataError: the notebook is not there, or is another one.
    """
    try:
        cells = json.loads((checkout / NOTEBOOK).read_text())["cells"]
        maps = _dictionaries("".join(cells[1]["source"]))
        losses, tokens, sizes = (maps[name] for name in ("NAMES_TO_VAL_LOSSES", "TOKENS_MAP", "PARAMS_MAP"))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"{checkout}: wanted is a checkout of huggingface/datablations with {NOTEBOOK}") from error
    rows = [
        (*_numbers(_BESIDE.sub("", name), tokens, sizes), loss)
        for name, loss in losses.items()
        if loss and not name.endswith("dedup")
    ]
    return pd.DataFrame(rows, columns=["N", "D", "U", "loss"])


def _dictionaries(source: str) -> dict[str, dict[str, float]]:
    statements = ast.parse(source).body
    return {one.targets[0].id: ast.literal_eval(one.value) for one in statements if isinstance(one, ast.Assign)}


def _numbers(name: str, tokens: dict[str, float], sizes: dict[str, float]) -> tuple[float, float, float]:
    """N, D and U of a name: the one way to cut it in three with a known size first and unique tokens at most tokens."""
    found = set()
    for size in (size for size in sizes if name.startswith(size)):
        rest = name.removeprefix(size)
        for cut in range(1, len(rest)):
            spent, unique = (_billions(part, tokens) for part in (rest[:cut], rest[cut:]))
            if spent and unique and unique <= spent:
                found.add((sizes[size], 1e9 * spent, 1e9 * unique))
    if len(found) != 1:
        raise DataError(f"run {name}: cannot be read as one size, tokens and unique tokens: {sorted(found)}")
    return found.pop()


def _billions(text: str, tokens: dict[str, float]) -> float | None:
    """``55b`` is 55, ``1b25`` is 1.25 (no number above 10 has a fraction), ``100m`` what the notebook's table says."""
    if text in tokens:
        return tokens[text]
    number = re.fullmatch(r"([1-9]\d*)b|([1-9])b(\d{1,2})", text)
    return float(number[1] or f"{number[2]}.{number[3]}") if number else None


def without_overfitted(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs at or before the least loss of their size and unique tokens: beyond it repetition does harm.

    The law falls with every token, so that it has no place for those. Runs alone of their (N, U) stay.
    """
    mean = runs.groupby(["N", "U", "D"], as_index=False)["loss"].mean()
    best = mean.loc[mean.groupby(["N", "U"])["loss"].idxmin(), ["N", "U", "D"]].rename(columns={"D": "D_best"})
    merged = runs.merge(best, on=["N", "U"])
    return merged[merged["D"] <= merged["D_best"]].drop(columns="D_best").reset_index(drop=True)
