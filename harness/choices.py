"""The files of `conf/` that can be chosen, those of the user's own ./conf before the harness's. Nothing of Hydra."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError


def config_folders() -> list[Path]:
    """The user's ./conf, where there is one, then the harness's own, which lies in the package when installed."""
    package = Path(__file__).parent
    own = package / "conf" if (package / "conf").is_dir() else package.parent / "conf"
    users = Path.cwd() / "conf"
    return [users, own] if users.is_dir() and not users.samefile(own) else [own]


def config_groups() -> list[str]:
    """What a file can be chosen for: ``task``, ``family``, ``schedule`` and so on."""
    return sorted({folder.name for root in config_folders() for folder in root.iterdir() if folder.is_dir()})


def read_config(path: Path) -> str:
    """The text of a file of `conf/`.

    Raises:
        UserError: it is not UTF-8, or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def not_utf8(path: Path) -> UserError:
    """The error of a file in another encoding."""
    return UserError(f"{path}: is not UTF-8 text; save it in that encoding")


def choices(group: str) -> dict[str, Path]:
    """What can stand after ``GROUP=``, such as ``quickstart/text`` after ``experiment=``, and the file of each."""
    found: dict[str, Path] = {}
    for folder in config_folders():
        root = folder / group
        for path in sorted(root.rglob("*.yaml")):
            found.setdefault(path.relative_to(root).with_suffix("").as_posix(), path)
    return dict(sorted(found.items()))
