"""The published tables of this study, read with the library's importers: frames with a row a number."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
from published import BENCHMARKS

import harness
from harness.errors import DataError
from harness.records.importers import import_results
from harness.records.table import read_rows

#: Where the README beside the published data says that they lie.
DATA = Path(__file__).parents[3] / "shared" / "data" / "real"
_HERE = Path(__file__).parent
#: Columns of question groups -> ours. FLOPs are 6 x parameters x tokens, as the authors of the table count them.
_NAMES = {"Model": "run_id", "Model Family": "family", "FLOPs (1E21)": "flops"}


def read_opt(data: Path) -> pd.DataFrame:
    """OPT, 8 sizes, 65 tasks; x is params_total."""
    return _imported(data / "lm_eval_opt", "opt.csv")


def read_pythia(data: Path) -> pd.DataFrame:
    """Pythia, 7 sizes, 27 checkpoints each, 87 tasks; x is params_non_embedding or tokens; model is '70m' to '12b'."""
    frame = _imported(data / "lm_eval_pythia", "pythia.csv")
    return frame.assign(model=frame["member"].str.rpartition("-")[2])


def read_benchmarks(data: Path) -> pd.DataFrame:
    """Accuracy and Brier score of the same answers, of nine benchmarks, models of many families; x is flops.

    Items are counted, and chance is that of the authors. Models without a count of FLOPs are left out.
    """
    parts = []
    for task, models in _question_groups(data).items():
        n_items = max(int(name.split("_")[1]) for name in _groups(models))
        shared = models[[*_NAMES.values()]].assign(task=task)
        accuracy = shared.assign(
            metric="accuracy",
            value=models["acc"],
            n_eval=n_items,
            chance=BENCHMARKS[task].chance,
            paired_metric="brier",
        )
        parts += [accuracy, shared.assign(metric="brier", value=models["brier"], paired_metric="")]
    frame = pd.concat(parts, ignore_index=True)
    is_accuracy = frame["metric"] == "accuracy"
    return frame.assign(higher_is_better=is_accuracy, discontinuous=is_accuracy)


def read_difficulty_groups(data: Path) -> pd.DataFrame:
    """Brier score of each benchmark's ten groups of questions; subtask is '01', the easiest, to '10'; x is flops.

    It is marked as discontinuous, so that `find_jumps` tests it.
    """
    parts = []
    for task, models in _question_groups(data).items():
        for rank, name in enumerate(_groups(models), start=1):
            shared = models[[*_NAMES.values()]].assign(task=task, subtask=f"{rank:02d}")
            parts.append(shared.assign(metric="brier", value=models[name]))
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(higher_is_better=False, discontinuous=True, paired_metric="")


def _imported(files: Path, about: str) -> pd.DataFrame:
    """Every checkpoint of the files of lm-evaluation-harness in a folder."""
    _require(files)
    with tempfile.TemporaryDirectory() as folder:
        import_results("lm_eval", [files], folder, read_rows(_HERE / about, as_text=True))
        return harness.load(folder, steps="all")


def _question_groups(data: Path) -> dict[str, pd.DataFrame]:
    """Benchmark -> a row a model that was evaluated and whose FLOPs are known."""
    folder = data / "question_groups"
    _require(folder)
    tables = {}
    for task in BENCHMARKS:
        models = pd.read_csv(folder / f"{task}.csv").rename(columns=_NAMES)
        models = models[models["acc"].notna() & models["flops"].notna()].reset_index(drop=True)
        tables[task] = models.assign(flops=models["flops"] * 1e21)
    return tables


def _groups(models: pd.DataFrame) -> list[str]:
    """Columns of the Brier score of groups of questions, '0_1404_brier' first: the easiest."""
    names = [name for name in models.columns if name.endswith("_brier")]
    return sorted(names, key=lambda name: int(name.split("_")[0]))


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(
            "no such folder; the README beside the published data says where its files are from", source=folder
        )
