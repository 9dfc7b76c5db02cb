from __future__ import annotations

import hashlib
import sysconfig

import numpy as np
import pytest

from harness.errors import DataError, SettingError
from harness.tasks import text
from harness.tasks.text import Text


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A planted standard library: 200 files, each of one byte of its own repeated."""
    for i in range(200):
        folder = tmp_path / ("package" if i % 2 else ".")
        folder.mkdir(exist_ok=True)
        (folder / f"module_{i}.py").write_bytes(bytes([i]) * 2000)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    text._corpus.cache_clear()
    yield tmp_path
    text._corpus.cache_clear()


def test_windows_are_read_from_the_sources():
    task = Text(context=32)
    train, held_out = (part.tobytes() for part in task.corpus)
    for batch, source in ((task.train_batch(np.random.default_rng(0), 20), train), (task.eval_batch(), held_out)):
        for inputs, targets in zip(batch.inputs[:20].tolist(), batch.targets[:20].tolist(), strict=True):
            assert inputs[1:] == targets[:-1]
            assert bytes([*inputs, targets[-1]]) in source
    assert b"def " in held_out
    assert b"import " in train


def test_the_real_corpus_is_large_enough_and_hashed():
    task = Text()
    train, held_out = task.corpus
    assert len(train) > 2_000_000
    assert 0.02 < len(held_out) / len(train) < 0.3
    assert task.versions["corpus_sha256"] == hashlib.sha256(train.tobytes() + held_out.tobytes()).hexdigest()


def test_each_file_is_on_one_side(library):
    train, held_out = (set(part.tolist()) for part in Text().corpus)
    assert not train & held_out
    assert train | held_out == set(range(200))
    # 200 coins of .1: 20, within five deviations of 4.2.
    assert 1 <= len(held_out) <= 41


def test_a_files_side_comes_from_its_name_alone(library):
    _, before = (set(part.tolist()) for part in Text().corpus)
    for path in library.rglob("*.py"):
        path.write_bytes(path.read_bytes() + path.read_bytes()[:500])
    (library / "another.py").write_bytes(b"\xff" * 300)
    text._corpus.cache_clear()
    _, after = (set(part.tolist()) for part in Text().corpus)
    assert after - {255} == before


def test_the_cap_keeps_both_sides_as_they_were(library):
    whole, capped = (Text(max_bytes=max_bytes).corpus for max_bytes in (400_000, 300_000))
    assert sum(len(part) for part in capped) == 300_000
    for part, of in zip(capped, whole, strict=True):
        assert of.tobytes().startswith(part.tobytes())


def test_tests_and_installed_packages_are_left_out(library):
    before = Text().versions
    for name in ("test", "site-packages", "package/tests", "__pycache__"):
        (library / name).mkdir()
        (library / name / "module.py").write_bytes(b"\xff" * 5000)
    (library / "_sysconfigdata__linux_.py").write_bytes(b"\xff" * 5000)
    (library / "notes.txt").write_bytes(b"\xff" * 5000)
    text._corpus.cache_clear()
    assert Text().versions == before


def test_evaluation_windows_do_not_overlap(library):
    rng = np.random.default_rng(0)
    for path in library.rglob("*.py"):
        path.write_bytes(rng.bytes(2000))
    task = Text(context=19, n_eval=900)
    batch, held_out = task.eval_batch(), task.corpus[1].tobytes()
    # 20 random bytes occur once: where a window was found is where it was cut.
    windows = np.concatenate([batch.inputs, batch.targets[:, -1:]], axis=1).astype(np.uint8)
    starts = np.sort([held_out.index(window.tobytes()) for window in windows])
    assert (np.diff(starts) >= 20).all()


def test_a_python_without_sources(library):
    for path in library.rglob("*.py"):
        path.unlink()
    with pytest.raises(DataError, match="too few Python sources"):
        Text().train_batch(np.random.default_rng(0), 1)


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"context": 0}, "task.context=0"),
        ({"max_bytes": 10}, "task.max_bytes=10"),
        ({"eval_fraction": 0.9}, "task.eval_fraction=0.9"),
        ({"n_eval": 0}, "task.n_eval=0"),
    ],
)
def test_settings_out_of_range(values, setting):
    with pytest.raises(SettingError, match=setting):
        Text(**values)


def test_more_evaluation_windows_than_there_are():
    with pytest.raises(SettingError, match=r"task.n_eval=1000000: allowed is at most \d+"):
        Text(n_eval=1_000_000).eval_batch()
