"""Text logs of nanoGPT, llm.c and tools like them: lines with a step and a loss, among any other lines.

Read are, for instance::

    step 250: train loss 2.1012, val loss 2.2034                        nanoGPT, both losses averaged over many batches
    iter 10: loss 2.3001, time 12.34ms, mfu 3.00%                       nanoGPT, the loss of one batch
    step   10/100 | train loss 6.523432 | norm 2.1 | lr 1.00e-04 ...    llm.c; its `val loss 6.5` has a line of its own
    step:125/1393 val_loss:4.5012 train_time:42123ms                    modded-nanogpt

A `val loss` without a step belongs to the steps done so far: N after ``step N/M``, which counts from 1, and N + 1 after
``step N``, which counts from 0. Where a step has both a batch's loss and an average, the average is taken; a step that
a resumed run logs again counts as it was logged last. A loss that is no number, such as 3,9 or N/A, is left out and
said. The number of parameters is the file's where the log states it whole (llm.c's num_parameters), not rounded and
less the position embeddings as nanoGPT prints it; tokens are steps times the tokens per step that it states.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.records.importers.found import Format, FoundRun, Number, read_bytes, stem
from harness.wording import counted

#: Of the largest whole number that the tables hold.
_DIGITS = 18
_EXPECTED = "a log with lines as `step 250: train loss 2.1, val loss 2.2` or `iter 10: loss 2.3, time 12ms`"
_STEP = re.compile(r"\b(?:step|iter|iteration)[ :]\s*(\d+)(/\d+)?", re.IGNORECASE)
#: Split, number and what stands at its end that makes it none, such as ",9" of 3,9; or a word for no number.
_LOSS = re.compile(
    r"\b(?:(train|val|valid|validation|eval)[ _])?loss[ :=]+"
    r"(?:([+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan\b|inf\b))((?:[.,]\d|\w)\S*|)|(n/?a\b|none\b|null\b|-+(?=[\s,]|$)))",
    re.IGNORECASE,
)
#: The record so far, which some logs repeat at every save.
_RECORD = re.compile(r"\bbest[ _](?:\w+[ _])?loss[ :=]+\S+", re.IGNORECASE)
_PARAMETERS = re.compile(r"\bnum_parameters\W+(\d{2,18})(?!\d)")
_TOKENS_PER_STEP = re.compile(r"(?:tokens per iteration will be|total desired batch size): *(\d[\d,]{0,30})")


def read(path: Path) -> list[FoundRun]:
    """The one run of a log.

    Raises:
        DataError: no line of it states a step and a loss.
    """
    text = read_bytes(path).decode("utf-8", errors="replace")
    averages: list[Number] = []
    of_batches: list[Number] = []
    unread: list[str] = []
    done = 0
    for row, line in enumerate(text.splitlines(), start=1):
        step, losses = _STEP.search(line), _LOSS.findall(_RECORD.sub("", line))
        evaluated = any(split.lower() not in ("", "train") for split, *_ in losses)
        if not losses or (step is None and not evaluated):
            continue
        if step is not None and len(step[1]) > _DIGITS:
            unread.append(f"line {row}: step {step[1][:_DIGITS]}...")
            continue
        at = done if step is None else int(step[1])
        if step is not None:
            done = at if step[2] or evaluated else at + 1
        for split, value, rest, word in losses:
            if rest or word:
                unread.append(f"line {row}: {value}{rest.rstrip(',;')}{word}")
                continue
            of_split = "train" if split.lower() in ("", "train") else "eval"
            (averages if evaluated else of_batches).append(Number(at, of_split, "loss", float(value)))
    problems = (
        (f"{counted(len(unread), 'value')} of the loss left out that no number stands in ({unread[0]})",)
        if unread
        else ()
    )
    averaged = {(number.step, number.split) for number in averages}
    numbers = averages + [number for number in of_batches if (number.step, number.split) not in averaged]
    if not numbers:
        why = "empty" if not text.strip() else "; ".join((*problems, "no line with a loss"))
        raise DataError(f"{path}: {why}; allowed is {_EXPECTED}")
    numbers.sort(key=lambda number: (number.step or 0, number.split))
    settings = _settings(text, steps=max(number.step or 0 for number in numbers))
    return [FoundRun(path, stem(path), numbers, settings, problems=problems)]


def _settings(text: str, steps: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"steps": steps}
    if match := _PARAMETERS.search(text):
        settings["params_total"] = int(match[1])
    if match := _TOKENS_PER_STEP.search(text):
        settings["tokens"] = steps * int(match[1].replace(",", ""))
    return settings


FORMAT = Format("nanogpt", ("*.log", "*.txt", "*.out"), read)
