"""The command line called from tests: in this process where that will do, for starting Python costs seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli import main

REPOSITORY = Path(__file__).parents[2]

#: A study of two rungs and four runs that trains in a second.
TINY = (
    "name=tiny",
    "family=mlp",
    "task=parity",
    "task.n_subtasks=4",
    "task.n_eval_per_subtask=16",
    "ladder.widths=[4,8]",
    "ladder.steps=5",
    "ladder.batch_size=8",
    "launcher.step=replayed",  # no trial of torch.compile where a run is to take hours
    "training.evaluations=2",
    "training.device=cpu",
    "seeds=2",
)


#: Modules that take long to load, and that no verb on a table needs but to read Parquet or to draw.
SLOW_TO_LOAD = ("torch", "hydra", "omegaconf", "yaml", "matplotlib", "pyarrow.parquet", "scipy.stats", "jinja2")


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    def refused(self, *words: str) -> bool:
        """Whether it ended as a mistake of the user's should: exit 2, one or two lines, holding all these words."""
        told = self.err.strip().splitlines()
        assert self.code == 2, (self.code, self.out, self.err)
        assert 1 <= len(told) <= 2, self.err
        assert "Traceback" not in self.err
        missing = [word for word in words if word not in self.err]
        assert not missing, f"{missing} not in {self.err}"
        return True


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> Ran:
    """Call `harness` in this process."""
    capsys.readouterr()
    code = main(argv)
    printed = capsys.readouterr()
    return Ran(code, printed.out, printed.err)


def start(*argv: str, cwd: Path, prepare: Callable[[], object] | None = None) -> subprocess.Popen[str]:
    """Start `harness` in a process group of its own; `prepare` is called in the new process first."""

    def prepare_all() -> None:
        # A shell starts what is in the background deaf to SIGINT and SIGQUIT, nohup to SIGHUP; children inherit it.
        for stopping in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(stopping, signal.SIG_DFL)
        if prepare is not None:
            prepare()

    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *argv],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare_all,
    )


def loaded_after(*commands: Sequence[str]) -> str:
    """Exit codes of commands run in one fresh process, and which of `SLOW_TO_LOAD` were loaded by then."""
    script = (
        f"import sys; from harness.cli import main; codes = [main(command) for command in {list(commands)!r}]; "
        f"print(codes, set({SLOW_TO_LOAD!r}) & set(sys.modules), file=sys.stderr)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    return ran.stderr


def wait(process: subprocess.Popen[str], timeout_s: float = 60) -> Ran:
    """Wait for a started command."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Ran(process.returncode, out, err)
