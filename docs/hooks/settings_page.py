"""The page of settings: every one with its default, its range and its meaning."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from harness.settings_reference import Group, choices, reference

INTRODUCTION = """# Settings

Every setting of `harness sweep`, `plan`, `analyze` and their like: on the command line as `NAME=VALUE`, in a file as
YAML. `harness settings` prints this page, `harness settings ladder` one group of it.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    text = "\n".join([INTRODUCTION, *map(_section, reference()), _choices()])
    files.append(File.generated(config, "settings.md", content=text))
    return files


def _section(group: Group) -> str:
    rows = [
        f"| `{row.name}` | {_code(row.default)} | {_cell(row.allowed)} | {_cell(row.meaning)} |" for row in group.rows
    ]
    table = ["| setting | default | allowed | meaning |", "|---|---|---|---|", *rows]
    return (
        f'## {group.name}\n\n{group.purpose}\n\n<div class="settings" markdown>\n\n' + "\n".join(table) + "\n\n</div>\n"
    )


def _code(value: object) -> str:
    return f"`{value}`" if str(value) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _choices() -> str:
    parts = ["## What can be chosen\n\n`GROUP=NAME`, with the files of `conf/`; your own `./conf` adds to them.\n"]
    for group, found in choices().items():
        rows = [f"| `{group}={choice.name}` | {_cell(choice.purpose)} |" for choice in found]
        parts.append(f"### {group}\n\n" + "\n".join(["| choice | what it is |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)
