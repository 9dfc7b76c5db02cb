"""Pythia's checkpoints as published: the accuracy of a task against ln perplexity on LAMBADA."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from harness.analysis.planning.metric_rows import MetricRows, metric_rows

#: Models whose checkpoints are seen, and models whose last checkpoint is forecast.
SEEN, HELD = ("70m", "160m", "410m", "1.4b"), ("2.8b", "6.9b", "12b")
#: First step that counts: before, the learning rate rises. And the last one.
FIRST, LAST = 3000, 143000
#: Tasks that are not of MMLU, which is at chance throughout.
TASKS = ("lambada_openai", "piqa", "winogrande", "sciq", "arc_easy", "arc_challenge", "logiqa", "wsc")


def read_tasks(folder: Path) -> Iterator[tuple[MetricRows, pd.DataFrame]]:
    """Each task's rows to fit, and the loss and share of what is held back."""
    results = {}
    for path in sorted(folder.glob("pythia-*/*.json")):
        found = re.search(r"([\d.]+[mb])_step(\d+)\.json$", path.name)
        if found and int(found[2]) >= FIRST:
            results[found[1], int(found[2])] = json.loads(path.read_text())["results"]
    for task in TASKS:
        table = pd.DataFrame(
            [
                {
                    "model": model,
                    "step": step,
                    "loss": np.log(result["lambada_openai"]["ppl"]),
                    "share": result[task]["acc"],
                    "stderr": result[task]["acc_stderr"],
                }
                for (model, step), result in results.items()
            ]
        )
        seen = table[table["model"].isin(SEEN)]
        rows = metric_rows(
            seen["loss"].to_numpy(),
            seen["share"].to_numpy(),
            (0.0, 1.0),
            name=task,
            clusters=seen["model"],
            chance=None,
            higher_is_better=True,
            n_eval=None,
            stderr=seen["stderr"].to_numpy(),
            groups=None,
        )
        yield rows, table[table["model"].isin(HELD) & (table["step"] == LAST)]
