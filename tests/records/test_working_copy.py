"""Results on an object store, in the memory of this process: two machines are two cache folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from command import run
from record_rows import measurement_rows, run_row
from stores import on_machine, served_by_moto

from harness.errors import DataError, RunsWarning, SettingError, UserError
from harness.records import object_store, working_copy
from harness.records.folders import find_folder
from harness.records.object_store import ObjectStore
from harness.records.pieces import recorded, set_aside
from harness.records.store import collect, finished_run_ids, load, load_runs
from harness.records.writer import piece_path, write_run

URL = "memory://bucket/results"


@pytest.fixture(autouse=True)
def empty_store() -> Iterator[None]:
    fsspec.filesystem("memory").store.clear()
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return on_machine(tmp_path / "here", monkeypatch, URL)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Path) -> Path:
    return on_machine(tmp_path / "there", monkeypatch, URL)


def objects() -> set[str]:
    return {path.removeprefix("/bucket/results/") for path in fsspec.filesystem("memory").store}


def test_a_run_that_one_machine_writes_another_has(here: Path, there: Path) -> None:
    assert write_run(here, run_row("aa"), measurement_rows())
    assert finished_run_ids(there) == {"aa": "finished"}
    assert piece_path(there, "aa").read_bytes() == piece_path(here, "aa").read_bytes()
    assert not write_run(there, run_row("aa", status="failed", error="late"), []), "it has finished, elsewhere"
    assert objects() == {"pieces/aa.parquet"}


def test_of_a_store_only_what_is_new_is_fetched(here: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = list[str]()
    read = ObjectStore.read_many

    def counted(self: ObjectStore, names: object) -> object:
        fetched.extend(names := list(names))  # type: ignore[call-overload]
        return read(self, names)

    monkeypatch.setattr(ObjectStore, "read_many", counted)
    write_run(here, run_row("aa"), measurement_rows())
    for _ in range(2):
        recorded(there)
    write_run(here, run_row("bb"), measurement_rows())
    write_run(here, run_row("aa"), measurement_rows(value=0.25))
    recorded(there)
    assert fetched == ["pieces/aa.parquet", "pieces/aa.parquet", "pieces/bb.parquet"]
    piece_path(there, "bb").write_bytes(b"")  # as after a loss of power
    assert set(finished_run_ids(there)) == {"aa", "bb"}


def test_whoever_collects_puts_the_tables_into_the_store_once(here: Path, there: Path) -> None:
    write_run(here, run_row("aa"), measurement_rows())
    write_run(there, run_row("bb"), measurement_rows())
    assert collect(here).n_runs == 2
    assert {"runs.parquet", "measurements.parquet"} <= objects()
    store = fsspec.filesystem("memory").store
    before = {name: file.created for name, file in store.items()}
    note = (here / "collected.json").stat().st_mtime_ns
    assert collect(here).n_runs == 2
    assert collect(there).n_runs == 2
    assert {name: file.created for name, file in store.items()} == before
    assert (here / "collected.json").stat().st_mtime_ns == note
    for table in ("runs", "measurements"):
        assert (here / f"{table}.parquet").read_bytes() == (there / f"{table}.parquet").read_bytes()


def test_a_url_is_loaded_like_a_folder(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(here, run_row("aa"), measurement_rows())
    on_machine(tmp_path / "reader", monkeypatch, URL)
    assert len(load(URL)) == len(load(here))
    assert list(load_runs(f"{URL}/")["run_id"]) == ["aa"]
    ran = run(capsys, "collect", URL)
    assert ran.code == 0 and "1 runs (1 finished)" in ran.out
    ran = run(capsys, "collect", f"results={URL}")
    assert ran.code == 0 and "1 runs (1 finished)" in ran.out


def test_what_is_set_aside_is_set_aside_for_all(here: Path, there: Path) -> None:
    write_run(here, run_row("aa"), measurement_rows())
    recorded(there)
    fsspec.filesystem("memory").pipe_file("/bucket/results/pieces/aa.parquet", b"damaged")
    bad = recorded(here).bad
    assert list(bad) == ["aa"]
    assert len(set_aside(here, bad)) == 1
    assert objects() == {"set_aside/aa.parquet"}
    with pytest.warns(RunsWarning, match="1 run of this copy is in the store no more"):
        assert recorded(there).rows == {} and not piece_path(there, "aa").exists()


def test_runs_that_have_gone_from_a_store_are_kept_beside_the_copy(here: Path) -> None:
    write_run(here, run_row("aa"), measurement_rows())
    fsspec.filesystem("memory").store.clear()
    with pytest.warns(RunsWarning, match="1 run of this copy is in the store no more"):
        assert finished_run_ids(here) == {}, "as any other machine sees it, though this one has listed nothing before"
    assert [path.name for path in (here.parent / "gone").iterdir()] == ["aa.parquet"]


def test_a_url_with_one_slash_is_no_folder() -> None:
    for meant in ("s3:/bucket/results", "s3:bucket/results", "gs:/bucket"):
        with pytest.raises(SettingError, match="two slashes"):
            object_store.is_url(meant)
    assert not object_store.is_url("results/s3") and not object_store.is_url("C:/results")


def test_a_file_of_the_copy_alone_stays(here: Path) -> None:
    (here / "report.html").write_text("mine")
    (here / "pieces" / "notes.txt").write_text("mine")
    write_run(here, run_row("aa"), measurement_rows())
    collect(here)
    assert (here / "report.html").exists() and (here / "pieces" / "notes.txt").exists()


def test_an_index_that_is_damaged_costs_a_second_fetch_and_no_more(here: Path, there: Path) -> None:
    write_run(here, run_row("aa"), measurement_rows())
    recorded(there)
    for damaged in ("[1", "[]", json.dumps({"pieces/aa.parquet": 3})):
        (there.parent / "index.json").write_text(damaged)
        assert finished_run_ids(there) == {"aa": "finished"}


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("foo://bucket/x", "a folder, or a URL of s3://"),
        ("https://bucket/x", "a folder, or a URL of s3://"),
        ("s3://", "s3://BUCKET/PATH"),
        ("s3://bucket/../other", "s3://BUCKET/PATH"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, allowed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingError, match=allowed):
        find_folder(url)
    assert run(capsys, "status", f"results='{url}'", "family=mlp", "task=parity").refused("results=", allowed)


def test_a_missing_package_and_a_missing_cache_folder_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "PACKAGES", {"s3": "s3fs", "memory": None})
    monkeypatch.setattr(fsspec, "filesystem", _not_installed)
    with pytest.raises(UserError, match="needs the package s3fs, pip install 'scaling-harness\\[s3\\]'"):
        find_folder("s3://bucket/x")
    monkeypatch.undo()
    monkeypatch.setenv("HARNESS_CACHE", "")
    with pytest.raises(UserError, match="HARNESS_CACHE is empty"):
        working_copy.working_copy(URL)


def _not_installed(*_: object, **__: object) -> None:
    raise ImportError("Install s3fs")


def test_a_url_without_results_and_a_store_that_fails_are_told_in_a_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="memory://bucket/none: no results there"):
        find_folder("memory://bucket/none")

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("the\nnetwork is down")

    write_run(here, run_row("aa"), measurement_rows())
    for method in ("cat_file", "pipe_file"):
        with monkeypatch.context() as broken:
            broken.setattr(type(fsspec.filesystem("memory")), method, refuse)
            with pytest.raises(UserError, match=f"{URL} cannot be .*: the network is down"):
                write_run(here, run_row("bb"), measurement_rows())
    assert objects() == {"pieces/aa.parquet"}
    assert not piece_path(here, "bb").exists(), "others would not know of it"


def test_a_plain_folder_asks_no_store(tmp_path: Path) -> None:
    assert working_copy.copy_of(tmp_path / "object_stores") is None
    assert working_copy.copy_of(tmp_path / "object_stores" / "a" / "b" / "pieces") is None


def test_what_s3_refuses_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    with served_by_moto("there"):
        store = ObjectStore.at("s3://there/a/b")
        store.check()
        store.check_creates("tried")
        store.write("x/one", b"1")
        assert list(store.listed("x")) == list(store.listed("", below=True)) == ["x/one"]
        assert dict(store.read_many(["x/one", "x/two"])) == {"x/one": b"1"}
        store.remove(["x/one", "x/two"])
        assert store.listed("x") == {}
        with pytest.raises(UserError, match="results=s3://elsewhere/x: there is no bucket elsewhere"):
            find_folder("s3://elsewhere/x")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        with pytest.raises(UserError, match="results=s3://there/y: Unable to locate credentials"):
            find_folder("s3://there/y")
