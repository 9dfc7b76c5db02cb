"""``path:FILE_OR_FOLDER``: the reader is chosen by what is there."""

from __future__ import annotations

from pathlib import Path

from harness.data.dataset import Kind
from harness.data.settings import DataSettings
from harness.data.sources import class_folders, documents, idx, npz, tables
from harness.data.sources.found import Found
from harness.errors import DataError

#: In the order in which they are asked whether they read it.
FORMATS = (idx, npz, tables, class_folders, documents)
_READ = {
    "images": "IDX files, .npz, a folder of images by class, or a table (.parquet, .csv, .jsonl) with images or files",
    "features": "a table (.parquet, .csv, .jsonl), .npz or IDX files",
    "text": "a table (.parquet, .csv, .jsonl) with texts, a text file, or a folder of text files",
    "audio": "a table (.csv, .jsonl, .parquet) that lists files, a folder of sound files by class, or .npz",
    "questions": "a table (.jsonl, .parquet, .csv) with questions, choices and answers",
}
#: Words in a path that is not there -> how to get it.
_HOW_TO_GET = {
    "fashion-mnist": "apt install dataset-fashion-mnist puts it into /usr/share/datasets/fashion-mnist",
    "mnist": f"put MNIST's four files there, {idx.FOUR_FILES}, each .gz or not",
}


def read(where: str, settings: DataSettings, kind: Kind) -> Found:
    """The examples of a file or folder.

    Raises:
        DataError: there is nothing, or nothing that is read as this kind of data; or as the reader of its format.
    """
    path = Path(where).expanduser()
    if path.is_symlink() and not path.exists():
        raise DataError("a link to nothing", source=path)
    if not path.exists():
        how = next((how for word, how in _HOW_TO_GET.items() if word in where.lower()), "nothing is fetched")
        raise DataError(f"no such file or folder; {how}", source=path)
    for reader in FORMATS:
        if reader.fits(path, kind):
            return reader.read(path, settings, kind)
    holds = sorted({p.suffix or p.name for p in path.iterdir()})[:8] if path.is_dir() else [path.suffix]
    found = f"holds {', '.join(holds) or 'nothing'}" if path.is_dir() else f"is a {path.suffix or 'nameless'} file"
    raise DataError(f"{found}; {kind} are read from {_READ[kind]}", source=path)
