"""What is said can be shown anywhere, and where it cannot be written a line says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command import REPOSITORY

from harness import terminal

NAMES = ("cost $5 to $6", "$\\foo$", "a\\[/b]", "[red]x[/red]", ":smile:", "é表", "\u2013")


def harness(
    *argv: str, encoding: str = "utf-8", stdout: int = subprocess.PIPE, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "harness", *argv]
    return subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=60, cwd=cwd)


def test_a_message_shows_control_characters_by_their_numbers_and_cuts_what_is_very_long() -> None:
    assert terminal.message("a\x1b[31m\x00b\x85\n\tc") == "a\\x1b[31m\\x00b\\x85\n\tc"
    assert terminal.message(f"x={'a' * 9_000}: allowed is 1").endswith("aaa: allowed is 1")
    assert len(terminal.message("a " * 9_000)) <= 1200


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("names") / "runs.csv"
    rows = [{"study": name, "N": 10**i, "loss": 3 * 10 ** (-i / 9)} for name in NAMES for i in range(1, 7)]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_names_are_shown_as_they_are(table: Path, encoding: str) -> None:
    ran = harness("fit", str(table), "--x", "N", "--y", "loss", "--law", "power", "--by", "study", encoding=encoding)
    assert ran.returncode == 0 and b"Traceback" not in ran.stderr, ran.stderr
    said = ran.stdout.decode(encoding)
    for name in NAMES[:-1]:
        assert name.encode(encoding, "backslashreplace").decode(encoding) in said
    assert encoding == "utf-8" or "\u2013" not in said


def test_names_that_are_no_text_are_named_in_the_error() -> None:
    ran = harness("fit", "a\udc80.csv", "--x", "a", "--y", "b", encoding="ascii:strict")
    assert ran.returncode == 2 and ran.stderr.startswith(b"harness: a\\udc80.csv: no such file")


@pytest.mark.parametrize("argv", [("--version",), ("--help",), ("settings",), ("fit", "--help")])
def test_a_reader_that_has_left_ends_a_command_without_a_word(argv: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = harness(*argv, stdout=writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("argv", [("--version",), ("--help",), ("settings",), ("fit", "--help")])
def test_a_full_disk_is_said_in_a_line(argv: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        ran = harness(*argv, stdout=full.fileno())
    assert ran.returncode == 2
    assert ran.stderr == b"harness: the output cannot be written: No space left on device\n"


def test_a_file_that_cannot_be_written_is_no_matter_of_the_output() -> None:
    assert not terminal.is_of_output(OSError(28, "No space left on device", "report.html"))
