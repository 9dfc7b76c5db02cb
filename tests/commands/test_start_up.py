"""A verb loads what it needs and no more: most of a short command is the loading."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command import loaded_after
from own_tables import FIT, write_tables


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tables()


@pytest.mark.parametrize("how", [["--law", "best"], ["--bootstrap", "100"], ["--objective", "huber"], []])
def test_a_fit_of_text_loads_nothing_slow(how: list[str]) -> None:
    assert loaded_after([*FIT, *how]) == "[0] set()\n"


def test_parquet_is_loaded_to_read_parquet() -> None:
    verb, table, *rest = FIT
    pd.read_csv(table).to_parquet("runs.parquet")
    assert loaded_after([verb, "runs.parquet", *rest]) == "[0] {'pyarrow.parquet'}\n"


def test_matplotlib_is_loaded_to_draw() -> None:
    assert "'matplotlib'" in loaded_after([*FIT, "--plot", "fit.png"])


def test_verbs_on_tables_say_what_follows_them_without_hydra() -> None:
    assert loaded_after(["export", "--help"], ["cite", "--help"]) == "[0, 0] set()\n"
    assert loaded_after(["fit", "--help"], ["--version"], ["fitt"], ["fit"]).endswith("[0, 0, 2, 2] set()\n")
