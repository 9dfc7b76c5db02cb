"""Text logs of nanoGPT, llm.c and tools like them: lines with a step and a loss, among any other lines.

Read are, for instance::

    step 250: train loss 2.1012, val loss 2.2034                        nanoGPT, both losses averaged over many batches
    iter 10: loss 2.3001, time 12.34ms, mfu 3.00%                       nanoGPT, the loss of one batch
    step   10/100 | train loss 6.523432 | norm 2.1 | lr 1.00e-04 ...    llm.c; its `val loss 6.5` has a line of its own
    step:125/1393 val_loss:4.5012 train_time:42123ms                    modded-nanogpt

A `val loss` without a step belongs to the steps done so far: N after ``step N/M``, which counts from 1, and N + 1 after
``step N``, which counts from 0. Where a step has both a batch's loss and an average, the average is taken. The number
of parameters is the file's where the log states it whole (llm.c's num_parameters), not rounded and less the position
embeddings as nanoGPT prints it; tokens are steps times the tokens per step that it states.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.records.importers.found import Format, FoundRun, Number, read_bytes, stem

_EXPECTED = "a log with lines as `step 250: train loss 2.1, val loss 2.2` or `iter 10: loss 2.3, time 12ms`"
_STEP = re.compile(r"\b(?:step|iter|iteration)[ :]\s*(\d+)(/\d+)?", re.IGNORECASE)
_LOSS = re.compile(
    r"\b(?:(train|val|valid|validation|eval)[ _])?loss[ :=]+([+-]?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|nan\b|inf\b))",
    re.IGNORECASE,
)
#: The record so far, which some logs repeat at every save.
_RECORD = re.compile(r"\bbest[ _](?:\w+[ _])?loss[ :=]+\S+", re.IGNORECASE)
_PARAMETERS = re.compile(r"\bnum_parameters\W+(\d{2,})")
_TOKENS_PER_STEP = re.compile(r"(?:tokens per iteration will be|total desired batch size): *([\d,]+)")


def read(path: Path) -> list[FoundRun]:
    """The one run of a log.

    Raises:
        DataError: no line of it states a step and a loss.
    """
    text = read_bytes(path).decode("utf-8", errors="replace")
    averages: dict[tuple[int, str], float] = {}
    of_batches: dict[tuple[int, str], float] = {}
    done = 0
    for line in text.splitlines():
        step, losses = _STEP.search(line), _LOSS.findall(_RECORD.sub("", line))
        evaluated = any(split.lower() not in ("", "train") for split, _ in losses)
        if not losses or (step is None and not evaluated):
            continue
        at = done if step is None else int(step[1])
        if step is not None:
            done = at if step[2] or evaluated else at + 1
        for split, value in losses:
            key = (at, "train" if split.lower() in ("", "train") else "eval")
            (averages if evaluated else of_batches)[key] = float(value)
    values = of_batches | averages
    if not values:
        raise DataError(f"{path}: {'empty' if not text.strip() else 'no line with a loss'}; allowed is {_EXPECTED}")
    numbers = [Number(step, split, "loss", value) for (step, split), value in sorted(values.items())]
    return [FoundRun(path, stem(path), numbers, _settings(text, steps=max(step for step, _ in values)))]


def _settings(text: str, steps: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"steps": steps}
    if match := _PARAMETERS.search(text):
        settings["params_total"] = int(match[1])
    if match := _TOKENS_PER_STEP.search(text):
        settings["tokens"] = steps * int(match[1].replace(",", ""))
    return settings


FORMAT = Format("nanogpt", ("*.log", "*.txt", "*.out"), read)
