"""What fine-tuned runs went on from, and what of them was trained, as a table and in words."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from harness.records.run_settings import parse_config
from harness.wording import count, short


def lineage(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each study whose runs started from others: from where, what was trained, and what both halves cost."""
    rows = []
    for study, part in runs[runs["parent_run"].notna()].groupby("study", sort=False):
        configs = part["config"].map(parse_config)
        starts = dict.fromkeys(str((config.get("starts_from") or {}).get("asked", "")) for config in configs)
        kinds = dict.fromkeys(kind_in_words(config.get("finetune") or {}) for config in configs)
        rows.append(
            {
                "study": study,
                "starts from": ", ".join(filter(None, starts)) or "runs named by their ids",
                "trained": ", ".join(kinds),
                "parameters trained": _span(part["params_trained"]),
                "of": _span(part["params_total"]),
                "runs": len(part),
                "of parents": part["parent_run"].nunique(),
                "their tokens": _span(part["pretraining_tokens"]),
                "their FLOPs": _span(part["pretraining_flops"], short),
                "own FLOPs": _span(part["flops"], short),
            }
        )
    return pd.DataFrame(rows)


def kind_in_words(finetune: dict[str, object]) -> str:
    """What fine-tuning trains, from the settings that a run's identity states."""
    kind = str(finetune.get("kind", "full"))
    said = {
        "full": "all",
        "head": "the readout",
        "lora": f"adapters of rank {finetune.get('rank', 8)}",
    }.get(kind, kind)
    frozen = finetune.get("frozen")
    return f"{said} but {', '.join(map(str, frozen))}" if isinstance(frozen, list) and frozen else said


def _span(values: pd.Series, write: Callable[[float], str] = count) -> str:
    known = values.dropna().astype(float)
    if known.empty:
        return "not known"
    low, high = write(known.min()), write(known.max())
    return low if low == high else f"{low} to {high}"
