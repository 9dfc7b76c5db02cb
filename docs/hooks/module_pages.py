"""The page of modules: what each says that it is, in the first sentence of its docstring."""

from __future__ import annotations

import ast
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parents[2]
INTRODUCTION = "# Modules\n\nEvery file of the package, in the words of its own docstring.\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    folders = sorted({path.parent for path in (REPOSITORY / "harness").rglob("*.py")})
    text = "\n".join([INTRODUCTION, *map(_section, folders)])
    files.append(File.generated(config, "modules.md", content=text))
    return files


def _section(folder: Path) -> str:
    documented = {path: _first_sentence(path) for path in sorted(folder.glob("*.py"))}
    rows = [f"| `{path.name}` | {sentence} |" for path, sentence in documented.items() if sentence]
    return f"## {folder.relative_to(REPOSITORY)}\n\n" + "\n".join(["| file | is |", "|---|---|", *rows]) + "\n"


def _first_sentence(path: Path) -> str:
    paragraph = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0].split())
    return (paragraph.partition(". ")[0].removesuffix(".") + ".").replace("|", "\\|") if paragraph else ""
