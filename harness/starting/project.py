"""``harness init``: the files of a small project, which runs as it is and is meant to be changed.

They lie in `template/` as they are written, so that they are tested and formatted like all other code.
"""

from __future__ import annotations

import argparse
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

TEMPLATE = Path(__file__).parent / "template"

#: What to do in the new folder, in this order.
NEXT = ("harness plan experiment=first", "harness sweep experiment=first", "harness analyze experiment=first")


def run(given: argparse.Namespace, console: Console) -> int:
    """Write the project into ``given.folder`` and print what was made and what to do next; returns 0.

    Raises:
        UserError: as `write_project`.
    """
    if not given.folder.strip():
        raise UserError("init: the name of the folder is empty; without one the current folder is taken")
    folder = Path(given.folder)
    made = write_project(folder)
    where = "this folder" if folder.resolve() == Path.cwd() else str(folder)
    steps = NEXT if where == "this folder" else (f"cd {shlex.quote(str(folder))}", *NEXT)
    lines = [f"Made in {where}:", *(f"  {path}" for path in made), "Next (README.md says what to expect):"]
    for line in (*lines, *(f"  {step}" for step in steps)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def write_project(folder: Path) -> list[Path]:
    """Copy the template into a folder, which is made where it is not there; the files, relative to it.

    Raises:
        UserError: one of the files is there already, or the folder cannot be written; then nothing is written.
    """
    files = template_files()
    if there := [folder / path for path in files if (folder / path).exists() or (folder / path).is_symlink()]:
        others = f" and {len(there) - 1} more files that init would write are" if len(there) > 1 else " is"
        raise UserError(f"{there[0]}{others} there already: nothing was written; harness init FOLDER writes elsewhere")
    written, folders = list[Path](), list[Path]()
    try:
        for path in files:
            target = folder / path
            absent = [parent for parent in target.parents if not parent.exists()]
            folders += reversed(absent)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "xb") as file:
                written.append(target)
                file.write((TEMPLATE / path).read_bytes())
    except BaseException as error:  # Ctrl-C among them
        for target in written:
            target.unlink(missing_ok=True)
        for made in reversed(folders):
            with suppress(OSError):  # what somebody else has put there since stays
                made.rmdir()
        if not isinstance(error, OSError):
            raise
        raise UserError(f"{folder} cannot be written: {error.filename or folder}: {error.strerror}") from error
    return files


def template_files() -> list[Path]:
    """The files of the template, relative to it: what stands at the top first, then folder by folder."""
    found = [path.relative_to(TEMPLATE) for path in TEMPLATE.rglob("*") if path.is_file()]
    # Python and Jupyter leave folders of their own behind where the template itself was run.
    own = [path for path in found if not any(part.startswith((".", "__")) for part in path.parts)]
    return sorted(own, key=lambda path: (len(path.parts), path))
