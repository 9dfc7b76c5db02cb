"""Object stores for tests: one in this process's memory, and S3 as moto serves it to any."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from harness.records.folders import find_folder


def on_machine(cache: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """The working copy of a machine whose cache folder is `cache`, with all runs that the store has."""
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    from harness.records.working_copy import working_copy

    (copy := working_copy(url)).joinpath("pieces").mkdir(exist_ok=True)
    return find_folder(copy)


@contextmanager
def served_by_moto(bucket: str) -> Iterator[dict[str, str]]:
    """An S3 with one bucket, served by this process; the variables by which others, and this one, find it."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    served = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    try:
        host, port = served.get_host_and_port()
        found = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with patch.dict("os.environ", found):
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(bucket)
            yield found
            s3fs.S3FileSystem.clear_instance_cache()
    finally:
        served.stop()
