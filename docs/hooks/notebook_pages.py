"""Notebooks as pages, with the outputs that they are stored with; nothing is run."""

from __future__ import annotations

from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    pages = [f"notebooks/{path.stem}.md" for path in NOTEBOOKS]
    config.nav = [{"Notebooks": pages} if item == {"Notebooks": "NOTEBOOKS"} else item for item in config.nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path in NOTEBOOKS:
        names = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
        notebook = nbformat.read(path, as_version=4)
        text, resources = MarkdownExporter().from_notebook_node(notebook, resources=dict(names))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for name, picture in resources["outputs"].items():
            files.append(File.generated(config, f"notebooks/{name}", content=picture))
    return files
