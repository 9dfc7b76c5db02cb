"""`harness init` writes a project that runs as it is, and overwrites nothing."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from command import REPOSITORY, loaded_after, run
from nbclient import NotebookClient

import harness
from harness.errors import UserError
from harness.starting.project import NEXT, TEMPLATE, template_files, write_project


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_writes_the_template_and_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    made = run(capsys, "init", "my project")
    assert made.code == 0, made.err
    assert files_of(Path("my project")) == {str(path): (TEMPLATE / path).read_bytes() for path in template_files()}
    assert all(f"  {path}\n" in made.out for path in template_files())
    assert made.out.endswith("".join(f"  {step}\n" for step in ("cd 'my project'", *NEXT)))


def test_the_current_folder_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.txt").write_text("mine")
    made = run(capsys, "init")
    assert made.code == 0 and "cd " not in made.out
    assert Path("conf/experiment/first.yaml").is_file() and Path("notes.txt").read_text() == "mine"


@pytest.mark.parametrize("there", ["rings.py", "conf/task/cipher.yaml"])
def test_never_overwrites(there: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(there).parent.mkdir(parents=True, exist_ok=True)
    Path(there).write_text("mine")
    assert run(capsys, "init").refused(f"{there} is there already", "nothing was written")
    assert files_of(Path()) == {there: b"mine"}


def test_a_second_init_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "init", "project")
    before = files_of(Path("project"))
    assert run(capsys, "init", "project").refused("project/README.md and", "more files", "there already")
    assert files_of(Path("project")) == before


@pytest.mark.parametrize("path", ["conf", "project"])
def test_a_file_where_a_folder_should_be_leaves_nothing_behind(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(path).write_text("mine")
    refused = run(capsys, "init", *(["project"] if path == "project" else []))
    assert refused.refused(path, "cannot be written")
    assert files_of(Path()) == {path: b"mine"}


@pytest.mark.parametrize("stop", [PermissionError(13, "Permission denied", "mine"), KeyboardInterrupt()])
def test_what_ends_early_leaves_no_folders(stop: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("project").mkdir()
    Path("project/notes.txt").write_text("mine")
    read, calls = Path.read_bytes, list[Path]()

    def stopped(path: Path) -> bytes:
        calls.append(path)
        if len(calls) > 4:
            raise stop
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", stopped)
    for folder in (Path("a/b"), Path("project")):
        calls.clear()
        with pytest.raises((UserError, KeyboardInterrupt)):
            write_project(folder)
    assert sorted(map(str, Path().rglob("*"))) == ["project", "project/notes.txt"]


def test_an_empty_name_is_refused(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "init", "").refused("the name of the folder is empty")
    assert not list(empty_folder.iterdir())


def test_takes_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "init", "a", "b").refused("unrecognized arguments: b")


def test_loads_nothing_slow() -> None:
    assert loaded_after(["init", "a"], ["init", "a"]).endswith("[0, 2] set()\n")


def test_the_notebook_is_short_and_stored_without_outputs() -> None:
    (path,) = TEMPLATE.glob("*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) < 15
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


def test_files_are_short() -> None:
    texts = [(TEMPLATE / path).read_text() for path in template_files() if path.suffix != ".ipynb"]
    assert all(len(text.splitlines()) < 120 for text in texts)


@pytest.mark.slow
@pytest.mark.usefixtures("few_draws", "undrawn")
def test_all_of_it_runs_as_it_is(
    empty_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    run(capsys, "init")
    planned = run(capsys, "plan", "--check", "experiment=first")
    assert planned.code == 0, planned.err
    assert "92 runs, 92 of them to do" in planned.out
    for path in Path("conf/experiment/first").glob("*.yaml"):  # half of the time, or less
        path.write_text(re.sub(r"^seeds: \d+", "seeds: 2", path.read_text(), flags=re.MULTILINE))
    swept = run(capsys, "sweep", "experiment=first/rings")
    assert re.search(r"Trained (\d+): \1 finished", swept.out), swept.err

    # The notebook trains the other study.
    notebook = nbformat.read(empty_folder / "first.ipynb", as_version=4)
    resources = {"metadata": {"path": str(empty_folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output["data"].get("text/plain", "") for output in outputs if "data" in output]
    bars = [text for text in shown if "all jobs" in text]
    assert len(bars) == 1 and "8/8" in bars[0], "the bar is one output, drawn anew in its place"
    assert sum("Trained 16: 16 finished." in text for text in shown) == 1
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 4
    assert not any(output.get("name") == "stderr" for output in outputs)

    analyzed = run(capsys, "analyze", "experiment=first")
    assert analyzed.code == 0, analyzed.err
    verdicts = pd.read_csv("results/first/verdicts.csv").set_index("study")["verdict"]
    # On another processor either may become inconclusive; what may not come out is the opposite.
    assert verdicts["cipher"] in ("metric artefact", "inconclusive")
    assert verdicts["rings"] in ("smooth", "inconclusive")
    means = harness.load("results/first").groupby(["study", "metric", "width"])["value"].mean()
    letters, texts = means["cipher", "token_accuracy"], means["cipher", "exact_match"]
    assert letters[14] > 0.5 and texts[14] < 0.2, "most of the table is known while hardly any text is correct"
    assert letters[22] > 0.95 and texts[22] > 0.7
    assert means["rings", "accuracy"][64] > 0.95 > 0.85 > means["rings", "accuracy"][3]
    assert means["rings", "loss"][64] < means["rings", "loss"][8] < means["rings", "loss"][3]
    assert Path("results/first/report.html").is_file()
