"""Mistakes end in one or two lines and exit code 2, failed runs in exit code 1, and nothing is lost."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command import TINY, run, start, wait
from record_rows import measurement_rows, run_row

from harness import cli
from harness.records.schema import RUNS
from harness.records.store import finished_run_ids
from harness.records.writer import write_run
from harness.sweeping.progress import running

RESULTS = Path("results/tiny")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["sseeds=3"], ["sseeds", "did you mean 'seeds'"]),
        (["ladder.wdths=[8]"], ["ladder.wdths", "'ladder.widths'"]),
        (["+ladder.wdths=[8]"], ["ladder.wdths", "'ladder.widths'"]),
        (["task.n_subtask=3"], ["task.n_subtask", "'task.n_subtasks'"]),
        (["+task.colour=3"], ["task.colour"]),
        (["task=partiy"], ["task=partiy", "'parity'", "harness settings task"]),
        (["experiment=quickstart/parit"], ["'quickstart/parity'"]),
        (["optimizer=adamm"], ["'adam'", "sgd"]),
        (["seeds=many"], ["seeds=many", "a whole number from 1 to 10000"]),
        (["seeds=1,2"], ["seeds=1,2", "--multirun"]),
        (["ladder.widths=[8"], ["ladder.widths=[8"]),
        (["ladder.widths=[8,-4]"], ["ladder.widths=[8, -4]", "at least 1"]),
        (["ladder.widths=[0]"], ["ladder.widths=[0]", "at least 1"]),
        (["ladder.widths=null", "ladder.first_width=0"], ["ladder.first_width=0", "from 1 to"]),
        (["ladder.widths=[8,8]"], ["rungs 0 and 1"]),
        (["ladder.tokens=100"], ["ladder.steps", "ladder.tokens"]),
        (["optimizer.lr=-1"], ["optimizer.lr", "above 0"]),
        (["optimizer.lr=[.1,.1]"], ["optimizer.lr=[0.1, 0.1]", "a list of them, each once"]),
        (["optimizer.eps=nan"], ["optimizer.eps=nan", "at least 0"]),
        (["optimizer.weight_decay=nan"], ["optimizer.weight_decay=nan", "at least 0"]),
        (["ladder.width_step=nan"], ["ladder.width_step=nan", "at least 1"]),
        (["ladder.branched=true"], ["schedule.kind=constant", "a branch needs a stable learning rate"]),
        (["ladder.steps=.5"], ["ladder.steps=0.5", "whole numbers"]),
        (["ladder.steps=1e308"], ["ladder.steps=1e+308", "fewer than"]),
        (["ladder.widths=null", "ladder.count=10000000"], ["ladder.count=10000000", "from 1 to 1000"]),
        (["ladder.widths=null", "ladder.count=1000"], ["ladder.count=1000", "at most 27", "ladder.width_step=2"]),
        (["ladder.widths=null", "ladder.width_step=1e300"], ["ladder.count=4", "at most 1", "width_step=1e+300"]),
        (["ladder.widths=null", "ladder.first_width=3000000000"], ["ladder.first_width=3000000000", "from 1 to 2,147"]),
        (["ladder.widths=[4,99999999999]"], ["ladder.widths=[4, 99999999999]", "at most 2,147,483,647"]),
        (["ladder.depths=[100000000]"], ["ladder.depths=[100000000]", "at most 10,000"]),
        (["seeds=10000000"], ["seeds=10000000", "from 1 to 10000"]),
        (["first_seed=-1"], ["first_seed=-1"]),
        (["first_seed=99999999999999999999"], ["first_seed=99999999999999999999", "to 1,000,000,000,000,000,000"]),
        (["experiment=2"], ["experiment=2", "is wanted"]),
        (["task=null"], ["task=null", "parity"]),
        (["optimizer=false"], ["optimizer=false", "adamw"]),
        (["schedule=[1]"], ["schedule=[1]", "one choice is wanted"]),
        (["--resolve"], ["--resolve", "--cfg job"]),
        (["--package", "ladder"], ["--package", "--cfg job"]),
        (["task.k=99"], ["task.k=99"]),
        (["family=transformer"], ["family=transformer"]),
        (["name=a/b"], ["name"]),
        (["task._target_=nowhere.Task"], ["task._target_=nowhere.Task"]),
        (["rung=7"], ["rung=7", "0 to 1"]),
        (["--colour"], ["--colour"]),
        # Cases of experiments/fuzz that once failed.
        (["task.n_bits=99999999999"], ["task.n_bits=99999999999", "from 1 to 1,000,000"]),
        (["task.eval_seed=1" + "0" * 400], ["task.eval_seed=1000", "at most 9,223,372,036,854,775,807"]),
        (["ladder.batch_size=100000000000000000000"], ["ladder.batch_size=1000", "from 1 to 100,000,000"]),
        (["ladder.widths=null", "ladder.first_width=1e300"], ["ladder.first_width=1e300", "from 1 to 2,147,483,647"]),
        (["loss.l2=1" + "0" * 400], ["loss.l2: int too large", "a smaller number"]),
        (["family.dropout=1" + "0" * 400], ["family.dropout=1000", "at most 9,223,372,036,854,775,807"]),
        (["seeds=" + "[" * 600 + "]" * 600], ["seeds: brackets are nested more than 20 deep"]),
        (["+a=" + "{a:" * 200 + "1" + "}" * 200], ["+a: brackets are nested"]),
        (["studies=5.5"], ["studies=[5.5]", "names of files in conf/experiment"]),
        (["study=x\udc80"], ["study=x", "not text in UTF-8"]),
        (["task.k=\x1b[31m3"], ["task.k=\\x1b[31m3"]),
        (["task.k=" + "a" * 20_000], ["task.k=aaaa", "aaa ... aaa", "a whole number"]),
    ],
)
def test_settings_that_cannot_be(overrides: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "train", *TINY, *overrides).refused(*words)
    assert not RESULTS.exists()


def test_what_hydra_calls_a_value_error_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "collect", "--multirun", *TINY, "~task=[1]").refused("deletion value must be a string")


@pytest.mark.parametrize("verb", ["train", "sweep", "plan", "status", "analyze"])
def test_a_results_path_that_is_too_long_is_a_line(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    long = "a" * 300
    assert run(capsys, verb, *TINY, f"results={long}").refused(f"{long[:100]}", "File name too long")
    assert run(capsys, "collect", long).refused(long[:100], "File name too long")


def test_heads_that_do_not_divide(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("sweep", "family=transformer", "task=copy", "ladder.widths=[16,18]", "ladder.heads=4", "ladder.steps=5")
    assert run(capsys, *command).refused("ladder.widths", "4 heads", "18")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["swep"], ["swep", "'sweep'"]),
        (["experiment=quickstart"], ["verb"]),
        (["--multirun", "seeds=1,2"], ["verb"]),
        (["train", "experiment=quickstart"], ["one study", "parity (mlp on parity)"]),
        (["plan"], ["family is not chosen"]),
        (["status", "name=mine"], ["status: no study is chosen", "settings of its sweep (experiment=NAME, or family="]),
        (["redo", "name=mine"], ["redo: no study is chosen"]),
    ],
)
def test_commands_that_cannot_be(argv: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv).refused(*words)


def test_own_config_that_is_not_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/broken.yaml").write_text("# @package _global_\nname: [unclosed\n")
    assert run(capsys, "plan", "experiment=broken").refused("broken.yaml")
    Path("conf/experiment/misspelt.yaml").write_text("# @package _global_\nsseeds: 3\n")
    assert run(capsys, "plan", "experiment=misspelt").refused("misspelt.yaml", "sseeds", "'seeds'")
    Path("conf/experiment/mistyped.yaml").write_text("# @package _global_\nseeds: many\n")
    assert run(capsys, "plan", "experiment=mistyped").refused("mistyped.yaml", "seeds", "many")
    Path("conf/experiment/hanging.yaml").write_text("# @package _global_\nnotes: ${nowhere}\n")
    assert run(capsys, "plan", "experiment=hanging", "family=mlp", "task=parity").refused("nowhere")


def test_cuda_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert run(capsys, "sweep", *TINY, "training.device=cuda").refused("training.device=cuda", "cpu")
    assert not RESULTS.exists()


@pytest.mark.parametrize("verb", ["collect", "analyze"])
def test_empty_results(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, verb, "name=tiny").refused("results/tiny", "harness sweep")
    RESULTS.mkdir(parents=True)
    assert run(capsys, verb, "name=tiny").refused("results/tiny", "harness sweep")


@pytest.mark.parametrize("verb", ["sweep", "status", "collect", "analyze"])
def test_results_of_another_schema_version(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    RESULTS.mkdir(parents=True)
    other = RUNS.with_metadata({"schema_version": "99"}).empty_table()
    pq.write_table(other, RESULTS / "runs.parquet")
    before = (RESULTS / "runs.parquet").read_bytes()
    assert run(capsys, verb, *TINY).refused("results/tiny/runs.parquet", "99")
    assert (RESULTS / "runs.parquet").read_bytes() == before


def test_results_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    # A file in the way refuses everyone, root too; permissions do not.
    Path("results").write_text("")
    assert run(capsys, "sweep", *TINY).refused("results/tiny cannot be written")


@pytest.mark.parametrize("verb", ["collect", "analyze"])
def test_results_that_are_read_only_are_to_be_copied(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(RESULTS, run_row("aa"), measurement_rows())

    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refused)  # permissions do not refuse root
    ran = run(capsys, verb, "results/tiny")
    assert ran.refused("cannot be written: Read-only file system", "copy it to where you may write", f"{verb} COPY")


def test_a_pipe_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("table.csv", "table.parquet"):
        os.mkfifo(name)
        assert run(capsys, "fit", name, "--x", "N", "--y", "loss").refused(name, "a pipe or a device; a file is wanted")
    assert run(capsys, "import", "wandb", "table.csv", "--into", "out").refused("table.csv", "a file is wanted")


def test_disk_full_while_writing(empty_folder: Path) -> None:
    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

    ran = wait(start("sweep", *TINY, cwd=empty_folder, prepare=small_files_only))
    assert ran.refused("results/tiny/pieces", "cannot be written")
    assert list(RESULTS.rglob("*.parquet")) == list(RESULTS.rglob("*.tmp")) == []


def test_a_run_that_fails_is_named_and_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    Path("failing_parity.py").write_text(
        "from dataclasses import dataclass\n"
        "from harness.tasks.parity import Parity\n"
        "@dataclass\n"
        "class FailingParity(Parity):\n"
        "    def train_batch(self, rng, batch_size):\n"
        "        raise ValueError('no data today')\n"
    )
    tiny = [*TINY, "task._target_=failing_parity.FailingParity", "ladder.widths=[4]"]
    ran = run(capsys, "sweep", *tiny)
    assert ran.code == 1
    assert "failed: 2 runs of main, rung 0: ValueError: no data today (failing_parity.py:6)" in ran.out
    assert ran.out.count("no data today") == 1
    assert "Traceback" not in ran.out + ran.err
    assert sorted(finished_run_ids(RESULTS).values()) == ["failed", "failed"]
    alone = run(capsys, "train", *tiny)
    assert alone.code == 1
    assert "failed: main rung 0 (width 4, depth 1) seed=0 lr=0.01: ValueError: no data today" in alone.out


@pytest.mark.parametrize("where", ["results=.", "name=..", "name=."])
def test_a_users_own_files_survive_a_sweep_in_their_folder(
    capsys: pytest.CaptureFixture[str], empty_folder: Path, where: str
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    own = [Path(".thesis.tex.tmp"), Path(f"notes/.draft.{dead.pid}.tmp"), Path(f".swap.{dead.pid}.tmp")]
    for path in own:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    trained = run(capsys, "train", *[word for word in TINY if not word.startswith("name=")], where)
    assert [path.read_text() for path in own] == ["mine"] * 3
    # A name that climbs may be refused; a folder that is named outright is the user's choice.
    assert trained.code == 0 or (where != "results=." and trained.refused("name"))


def test_a_diverged_run_is_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "sweep", *TINY, "optimizer=sgd", "optimizer.lr=[0.01,1e30]", "ladder.steps=30", "seeds=1")
    assert ran.code == 0
    assert "2 finished, 2 diverged" in ran.out
    assert (
        "Nothing to train"
        in run(capsys, "sweep", *TINY, "optimizer=sgd", "optimizer.lr=[0.01,1e30]", "ladder.steps=30", "seeds=1").out
    )


def test_a_reader_that_leaves_early(empty_folder: Path) -> None:
    shown = start("--help", cwd=empty_folder)
    assert shown.stdout is not None
    shown.stdout.close()
    assert shown.stderr is not None
    assert shown.stderr.read() == ""
    assert shown.wait() == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("sent", "to_group", "code"),
    [(signal.SIGTERM, False, 143), (signal.SIGINT, True, 130), (signal.SIGUSR1, True, 138)],
    ids=["SIGTERM", "Ctrl-C", "SIGUSR1"],
)
def test_stopped_in_mid_run(
    sent: signal.Signals, to_group: bool, code: int, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # One duration ends at once, the other would take hours.
    command = ["sweep", *TINY, "ladder.widths=[4]", "launcher.workers=2", "ladder.steps=[5,100000000]"]
    sweep = start(*command, cwd=empty_folder)
    pids = _wait_for_a_run_beside_another(sweep)
    shown = run(capsys, "status", *command[1:]).out
    assert "running: main rung 0 (width 4, depth 1), 2 runs: step" in shown
    assert re.search(r"all +2 +- +- +2 +-", shown)
    (os.killpg if to_group else os.kill)(sweep.pid, sent)
    stopped = wait(sweep, timeout_s=20)
    assert stopped.code == code, stopped.err
    said = (
        "harness: stopped: 2 runs in training have written their checkpoints; "
        "finished runs are kept, and the same command goes on from there"
    )
    assert stopped.err.strip() == said
    assert all(not _alive(pid) for pid in pids)
    statuses = finished_run_ids(RESULTS)
    assert list(statuses.values()) == ["finished", "finished"]
    assert "running:" not in run(capsys, "status", *command[1:]).out
    left = {path.name for path in RESULTS.rglob("*") if path.is_file()}
    pieces = {f"{run_id}.parquet" for run_id in statuses}
    checkpoints = {path.name for path in RESULTS.glob(".sweep/checkpoints/*.safetensors")}
    assert left == {".lock"} | pieces | checkpoints and len(checkpoints) == 1


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1], ids=lambda sent: sent.name)
def test_a_signal_sent_twice_stops_once(
    sent: signal.Signals, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(sent, signal.SIG_DFL)  # nohup has SIGHUP ignored

    def stopped_twice(_: object) -> int:
        try:
            signal.raise_signal(sent)
        except KeyboardInterrupt as stop:
            signal.raise_signal(sent)
            stop.args = ("1 run in training falls back to its last checkpoint",)
            raise
        return 0

    monkeypatch.setattr(cli, "_dispatch", stopped_twice)
    try:
        stopped = run(capsys, "sweep")
        assert signal.getsignal(sent) == signal.SIG_DFL
    finally:
        signal.signal(sent, before)
    assert stopped.code == 128 + sent
    assert "stopped: 1 run in training falls back to its last checkpoint; finished runs are kept" in stopped.err


def test_a_signal_that_is_ignored_stays_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """nohup has SIGHUP ignored, that a sweep outlives its terminal."""

    def hung_up(_: object) -> int:
        signal.raise_signal(signal.SIGHUP)
        return 0

    monkeypatch.setattr(cli, "_dispatch", hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(capsys, "sweep").code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGQUIT], ids=lambda sent: sent.name)
def test_nothing_trains_on_without_its_sweep(sent: signal.Signals, empty_folder: Path) -> None:
    """Workers that outlived it would train beside those of the next sweep."""
    sweep = start("sweep", *TINY, "ladder.widths=[4]", "ladder.steps=[5,100000000]", cwd=empty_folder)
    pids = _wait_for_a_run_beside_another(sweep)
    os.kill(sweep.pid, sent)
    assert wait(sweep).code == -sent
    ends = time.monotonic() + 30
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < ends, "a worker trains on"
        time.sleep(0.05)
    assert set(finished_run_ids(RESULTS).values()) == {"finished"}


def _wait_for_a_run_beside_another(sweep: subprocess.Popen[str], timeout_s: float = 60) -> list[int]:
    """Wait until two runs are finished and another job trains; its process."""
    started = time.monotonic()
    while time.monotonic() - started < timeout_s:
        assert sweep.poll() is None, sweep.communicate()
        training = [progress for progress in running(RESULTS) if progress.step]
        if training and len(finished_run_ids(RESULTS)) == 2:
            return [progress.pid for progress in training]
        time.sleep(0.1)
    raise AssertionError("no job trains")


def _alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
