"""The gallery's own figures, drawn by the commands of its page, and the page's files laid out in an empty folder."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from worked_pages import REPOSITORY, Page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    page = Page.read(REPOSITORY / "docs" / "pages" / "gallery.md")
    with tempfile.TemporaryDirectory() as empty:
        for command, code, printed in page.run(Path(empty)):
            if code:
                raise PluginError(f"gallery.md: $ {command.words}\n{printed}")
        for figure in sorted(Path(empty).glob("*.png")):
            files.append(File.generated(config, f"gallery/{figure.name}", content=figure.read_bytes()))
    return files
