"""The page of verbs: what `harness --help` and `harness VERB --help` print."""

from __future__ import annotations

import contextlib
import io
import os

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from harness import cli
from harness.verbs import VERBS

INTRODUCTION = """# Verbs

`harness VERB --help` prints what stands here. The verbs that train or read an experiment take settings in
[Hydra's grammar](https://hydra.cc/docs/advanced/override_grammar/basic/); the verbs for any table of runs take flags.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    general = _printed("--help")
    parts = [INTRODUCTION, _block("harness --help", general)]
    for verb in VERBS:
        own = _printed(verb, "--help")
        if own != general:
            parts.append(f"## {verb}\n\n" + _block(f"harness {verb} --help", own))
    files.append(File.generated(config, "verbs.md", content="\n".join(parts)))
    return files


def _block(command: str, printed: str) -> str:
    return f"```text\n$ {command}\n{printed.strip()}\n```\n"


def _printed(*argv: str) -> str:
    printed = io.StringIO()
    os.environ["COLUMNS"] = "100"  # argparse folds its help at this width
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        cli.main(argv)
    return printed.getvalue()
