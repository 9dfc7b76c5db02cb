"""The page of settings: every one with its default, its range and its meaning."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

try:
    from harness.settings_reference import Group, reference
except ImportError:  # until that module is merged
    import dataclasses
    from typing import NamedTuple

    from harness import settings

    class Row(NamedTuple):
        name: str
        default: str
        allowed: str
        meaning: str

    class Group(NamedTuple):
        name: str
        purpose: str
        rows: list[Row]

    def reference() -> list[Group]:
        kinds = [kind for kind in vars(settings).values() if dataclasses.is_dataclass(kind)]
        return [
            Group(
                kind.__name__.removesuffix("Settings").lower() or "settings",
                (kind.__doc__ or "").splitlines()[0],
                [Row(f.name, str(f.default), str(f.type), "") for f in dataclasses.fields(kind)],
            )
            for kind in kinds
        ]


INTRODUCTION = """# Settings

Every setting of `harness sweep`, `plan`, `analyze` and their like, as `GROUP.NAME=VALUE` on the command line or in an
experiment's file. `harness sweep --cfg job experiment=NAME` prints those of an experiment.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    text = "\n".join([INTRODUCTION, *map(_section, reference())])
    files.append(File.generated(config, "settings.md", content=text))
    return files


def _section(group: Group) -> str:
    rows = [
        f"| `{row.name}` | {_code(row.default)} | {_cell(row.allowed)} | {_cell(row.meaning)} |" for row in group.rows
    ]
    table = ["| setting | default | allowed | meaning |", "|---|---|---|---|", *rows]
    return f"## {group.name}\n\n{group.purpose}\n\n" + "\n".join(table) + "\n"


def _code(value: object) -> str:
    return f"`{value}`" if str(value) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
