"""Verbs that take a table and flags: nothing of Hydra, nothing of torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from rich.console import Console

from harness.errors import UserError

#: verb -> (module, what it does).
VERBS = {
    "fit": ("harness.commands.fit", "fit a law, or rank laws, on any table of runs"),
    "forecast": ("harness.commands.forecast", "foretell runs not yet made, with intervals"),
    "allocate": ("harness.commands.allocate", "the optimal size and tokens for a budget of compute"),
    "emergence": ("harness.commands.emergence", "which curves of a table jump, with the evidence in words"),
    "compare": ("harness.commands.compare", "where abilities appear: order, ratios, agreement of two sizes"),
    "import": ("harness.commands.importing", "results of other tools into the two tables"),
}


class _Parser(argparse.ArgumentParser):
    """Mistakes are told in a line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog.removeprefix('harness ')}: {message} (see {self.prog} --help)")


def run(verb: str, words: Sequence[str], console: Console) -> int:
    """Run a verb with the words that follow it; its exit code.

    Raises:
        UserError: a mistake in the words, or whatever the verb raises.
    """
    module, about = VERBS[verb]
    parser = _Parser(prog=f"harness {verb}", description=about, allow_abbrev=False)
    command = import_module(module)
    command.add_arguments(parser)
    try:
        arguments = parser.parse_args(list(words))
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    return command.run(arguments, console)
