"""Names under which trackers log benchmark scores: which task, asked how, and which metric.

Read are, for instance::

    eval/downstream/arc_easy_val_rc_5shot_len_norm       arc_easy_val_rc, 5-shot, len_norm
    eval/downstream_bpb/piqa_val_rc_5shot_bpb_bpb        piqa_val_rc, 5-shot, bpb
    eval/downstream_soft/hellaswag_rc_0shot_soft         hellaswag_rc, 0-shot, soft
    eval/downstream/csqa_mc_5shot (accuracy)             csqa_mc, 5-shot, accuracy
    eval/downstream/winogrande_acc                       winogrande, shots not stated, acc

Split, format and version stay in the task's name, for they make other questions of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class BenchmarkName(NamedTuple):
    """What a logged name says.

    Attributes:
        task: with split and format.
        subtask: "5-shot", or "all" where the name states no shots.
        metric: in lower case, joined by underscores.
    """

    task: str
    subtask: str
    metric: str


_SUFFIX = (
    "len_norm|pmi_dc|soft_log|soft|bpb|ce_loss|acc_norm|acc_raw|acc_per_char|acc_per_token|acc|accuracy|exact_match|f1"
)
_WITH_SHOTS = re.compile(r"(?P<task>\w+?)_(?P<shots>\d+)_?shots?(?P<more>_fast)?_(?P<metric>\w+)")
_WITHOUT_SHOTS = re.compile(rf"(?P<task>\w+?)_(?P<metric>(?:{_SUFFIX})(?:_(?:{_SUFFIX}))*)")
_IN_BRACKETS = re.compile(r"(?P<task>\w+?)(?:_(?P<shots>\d+)_?shots?(?P<more>_fast)?(?:_\w+)?)? \((?P<metric>[^)]+)\)")
#: Folders of a tracker that hold benchmark scores only.
_BENCHMARKS = re.compile(r"downstream(_\w+)?", re.IGNORECASE)


def benchmark_name(name: str) -> BenchmarkName | None:
    """What a logged name says of a benchmark; None where it names none.

    A name that states shots is a benchmark's; one that does not is so only in a folder ``downstream``.
    """
    *folders, last = name.split("/")
    among_benchmarks = any(_BENCHMARKS.fullmatch(folder) for folder in folders)
    found = _WITH_SHOTS.fullmatch(last) or (_IN_BRACKETS.fullmatch(last) if among_benchmarks else None)
    if found is None and among_benchmarks:
        found = _WITHOUT_SHOTS.fullmatch(last)
    if found is None:
        return None
    parts = found.groupdict()
    subtask = f"{parts['shots']}-shot" if parts.get("shots") else "all"
    metric = re.sub(r"\W+", "_", parts["metric"].lower()).strip("_")
    # "..._5shot_bpb" is a task of OLMo's, whose metric bpb follows once more.
    metric = re.sub(r"^(\w+?)(?:_\1)+$", r"\1", metric)
    return BenchmarkName(parts["task"] + (parts.get("more") or ""), subtask, metric)
