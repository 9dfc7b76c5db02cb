"""Seconds to collect the pieces of a large sweep: from a folder, from a slow one, and from S3 as moto serves it.

python experiments/object_store/run.py [--runs 10000 --repeats 3 --answer-ms 5]

Two cores, about 5 minutes. Nothing is trained: the runs are planted in a temporary folder. The part with S3 needs moto
and s3fs (`pip install 'moto[s3,server]' s3fs`), and is left out without them.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness.records import files, piece_file, pieces
from harness.records.pieces import list_pieces, read_pieces, table_paths
from harness.records.store import collect
from harness.records.writer import PIECES

sys.path.append(str(Path(__file__).parents[1] / "tables_at_scale"))
from planted import write_pieces

ROWS = 50
BUCKET, URL = "harness", "s3://harness/planted"
SERVER = """
import logging, sys, time
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def best(of: list[tuple[float, float]]) -> tuple[float, float]:
    return min(wall for wall, _ in of), min(cpu for _, cpu in of)


def with_readers(n: int, folder: Path, run_ids: list[str]) -> tuple[float, float]:
    """What reading pieces takes with `n` threads; 1 is no thread but this."""
    with patch.object(pieces, "READERS", n), patch.object(pieces, "_MANY", 0 if n > 1 else 10**9):
        return seconds(lambda: read_pieces(folder, run_ids))


@contextmanager
def slow_answers(each_s: float) -> Iterator[None]:
    """Every opening of a piece takes as long again, as on a network file system."""
    check = piece_file.check_is_file

    def slowly(path: Path) -> None:
        time.sleep(each_s)
        check(path)

    with patch.object(piece_file, "check_is_file", slowly):
        yield


@contextmanager
def moto() -> Iterator[None]:
    """An S3 in a process of its own, and the variables by which it is found."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    host, port = server.stdout.readline().split()
    found = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    try:
        with patch.dict(os.environ, found | {"AWS_DEFAULT_REGION": "us-east-1"}):
            yield
    finally:
        server.terminate()
        server.wait()


def from_s3(folder: Path, cache: Path, table: Table) -> None:
    """Put the pieces into S3 and collect them from there, at first and again."""
    import fsspec

    from harness.records.working_copy import pull, working_copy

    s3 = fsspec.filesystem("s3")
    s3.mkdir(BUCKET)
    s3.put(str(folder / PIECES) + "/", f"{BUCKET}/planted/{PIECES}/", recursive=True)
    with patch.dict(os.environ, {"HARNESS_CACHE": str(cache / "one")}):
        copy = working_copy(URL)
        names = list(list_pieces(folder).files)[:500]

        def one_by_one(run_id: str) -> bytes:
            return bytes(s3.cat_file(f"{BUCKET}/planted/{PIECES}/{run_id}.parquet"))

        wall, cpu = seconds(lambda: [one_by_one(run_id) for run_id in names])
        share = len(list_pieces(folder).files) / len(names)
        row(table, f"fetching one by one, as {len(names)} pieces took", share * wall, share * cpu)
        row(table, "fetching into a new copy", *seconds(lambda: pull(copy / PIECES)))
        row(table, "the same again, nothing new", *seconds(lambda: pull(copy / PIECES)))
        row(table, "collecting the copy, tables pushed", *seconds(lambda: collect(copy)))
        row(table, "collecting again, nothing new", *seconds(lambda: collect(copy)))


def row(table: Table, what: str, wall: float, cpu: float) -> None:
    table.add_row(what, f"{wall:.1f}", f"{cpu:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--answer-ms", type=float, default=5)
    asked = parser.parse_args()
    table = Table(box=SIMPLE_HEAD)
    for name in (f"{asked.runs:,} pieces of {ROWS} measurements", "seconds", "of processor"):
        table.add_column(name, justify="left" if name[0].isdigit() else "right")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "planted"
        with patch.object(files.os, "fsync", lambda _: None):
            write_pieces(folder, 0, asked.runs, ROWS, 0)
        run_ids = list(list_pieces(folder).files)
        counts = (1, pieces.READERS)
        for slow in (False, True):
            taken: dict[int, list[tuple[float, float]]] = {n: [] for n in counts}
            for _ in range(1 if slow else asked.repeats):
                for n in counts:
                    with slow_answers(asked.answer_ms / 1e3 if slow else 0.0):
                        taken[n].append(with_readers(n, folder, run_ids))
            where = f"each answered after {asked.answer_ms:g} ms" if slow else "of a local folder"
            for n in counts:
                row(table, f"reading pieces {where}, {n} at once", *best(taken[n]))
        row(table, "collecting the folder", *seconds(lambda: collect(folder)))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        for path in table_paths(folder).values():
            path.unlink()
        if find_spec("moto") and find_spec("s3fs"):
            with moto():
                from_s3(folder, Path(place), table)
        else:
            print("moto or s3fs is not installed: nothing is measured of S3")
    Console(width=100).print(table)
    print(f"most memory until the folder was collected: {memory:.2f} GB")


if __name__ == "__main__":
    main()
