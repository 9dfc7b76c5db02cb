from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
from imported import IMPORTED, SIZES_OF_ALL

from harness.errors import DataError, UserError
from harness.records.importers import import_results


def test_event_files_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "tensorboard":
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UserError, match=r"pip install -e '\.\[tensorboard\]\'"):
        import_results("tensorboard", [IMPORTED / "tensorboard"], tmp_path, SIZES_OF_ALL)


@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        ("tensorboard", "a.tfevents", "not an event file", "a.tfevents: foreign, cut short or empty"),
    ],
)
def test_files_that_cannot_be_used(kind: str, name: str, content: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=said) as caught:
        import_results(kind, [tmp_path / name], tmp_path / "out", SIZES_OF_ALL)
    assert str(caught.value).startswith(str(tmp_path)) and str(caught.value).count("\n") <= 1
    assert not (tmp_path / "out").exists()
