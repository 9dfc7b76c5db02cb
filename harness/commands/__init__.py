"""Verbs that take a table and flags: nothing of Hydra, nothing of torch.

`arguments` declares what may follow each verb and loads nothing heavy, so that --help and mistakes in the words answer
at once; a verb's own module is loaded when it runs.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from harness.commands import arguments
from harness.errors import UserError, nearest

if TYPE_CHECKING:
    from rich.console import Console


#: How argparse begins what it says of words that it does not know.
_UNKNOWN = "unrecognized arguments: "


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        module: where its ``run(arguments, console) -> exit code`` is.
        about: what it does, in a line.
        declare: adds its arguments to a parser.
        examples: what may follow it, such as --help shows.
    """

    module: str
    about: str
    declare: Callable[[argparse.ArgumentParser], None]
    examples: tuple[str, ...] = ()


VERBS = {
    "fit": Verb(
        "harness.commands.fit",
        "fit a law, or rank laws, on any table of runs",
        arguments.of_fit,
        (
            "runs.csv --law hoffmann --x N,D --y loss --plot fit.png",
            'runs.csv --law best --x N,D --y loss --where "corpus == \'web\'" --exclude "loss > 5"',
            "results/quickstart --x params_non_embedding --y loss --where \"study == 'text'\"",
        ),
    ),
    "forecast": Verb(
        "harness.commands.forecast",
        "forecast runs not yet made, with intervals",
        arguments.of_forecast,
        (
            "runs.csv --x N,D --y loss --at N=7e9,D=1.4e11",
            "runs.csv --x N,D --y loss --metric accuracy --chance 0.25 --at N=7e9,D=1.4e11 --plot ahead.png",
        ),
    ),
    "allocate": Verb(
        "harness.commands.allocate",
        "the optimal size and tokens for a budget of compute",
        arguments.of_allocate,
        ("runs.csv --x N,D --y loss --compute 1e24",),
    ),
    "gain": Verb(
        "harness.commands.gain",
        "what compute a recipe saves over a baseline",
        arguments.of_gain,
        (
            "runs.csv --x N,D --y loss --recipe corpus",
            "runs.csv --x C --y loss --recipe corpus --baseline web --at 1e21",
        ),
    ),
    "transfer": Verb(
        "harness.commands.transfer",
        "what data pretraining is worth, and where it hurts",
        arguments.of_transfer,
        (
            "runs.csv --x N,D --y loss --pretrained pretrained --plot transfer.png",
            "results/finetuned --where \"task == 'digits'\"",
        ),
    ),
    "emergence": Verb(
        "harness.commands.emergence",
        "which curves of a table jump, with the evidence in words",
        arguments.of_emergence,
        (
            "others.csv --x params --value score --plot mirage.png",
            "wide.csv --x params --value 'acc_*' --pair 'acc_*=brier_*' --by family --sort p",
            "results/quickstart --value exact_match",
        ),
    ),
    "compare": Verb(
        "harness.commands.compare",
        "where abilities appear: order, ratios, agreement of two sizes",
        arguments.of_compare,
        (
            "results/quickstart --x params_non_embedding,flops --plot forest.png",
            "results/quickstart results/mine --metrics exact_match",
        ),
    ),
    "shifts": Verb(
        "harness.commands.shifts",
        "accuracy on shifted evaluation sets: on the line? do jumps survive?",
        arguments.of_shifts,
        (
            "results/mine --plot line.png",
            "results/mine --split noisy,blurred --baseline mlp",
            "measured.csv --x params --own test",
        ),
    ),
    "screen": Verb(
        "harness.commands.screen",
        "which benchmarks can be read at small size, and from where",
        arguments.of_screen,
        ("recipes.csv --x params --recipe recipe --value 'acc_*' --step step --plot read.png",),
    ),
    "import": Verb(
        "harness.commands.importing",
        "results of other tools into the two tables",
        arguments.of_import,
        (
            "lm_eval evals/ --into results/theirs --about sizes.csv",
            "wandb history.csv --into results/theirs --set params_total=124e6",
        ),
    ),
    "export": Verb(
        "harness.commands.export",
        "recorded runs as CSV, for TensorBoard or for W&B",
        arguments.of_export,
        ("csv results/quickstart", "tensorboard results/quickstart --into logs"),
    ),
    "init": Verb(
        "harness.starting.project",
        "a small commented project that runs as it is",
        arguments.of_init,
        ("mine",),
    ),
    "cite": Verb(
        "harness.commands.cite",
        "how to cite the harness and the methods used",
        arguments.of_cite,
        ("results/quickstart",),
    ),
}


class _Parser(argparse.ArgumentParser):
    """A mistake in the words is an error of one line; --help ends with examples, a line each."""

    examples: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        verb, near = self.prog.removeprefix("harness "), ""
        if message.startswith(_UNKNOWN):
            near = nearest(message.removeprefix(_UNKNOWN).split()[0].partition("=")[0], self.flags)
        raise UserError(f"{verb}: {message}{near} (see {self.prog} --help)")

    def print_help(self, file: Any = None) -> None:  # argparse's own is silent where it cannot write
        print(self.format_help(), end="", file=file)

    @property
    def flags(self) -> list[str]:
        """All that may be given."""
        return [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]

    def format_help(self) -> str:
        shown = "".join(f"\n  {self.prog} {words}" for words in self.examples)
        return super().format_help() + (f"\nexamples:{shown}\n" if shown else "")


def run(name: str, words: Sequence[str], console: Console) -> int:
    """Run a verb with the words that follow it; its exit code.

    Raises:
        UserError: a mistake in the words, or whatever the verb raises.
    """
    verb = VERBS[name]
    parser = _Parser(prog=f"harness {name}", description=verb.about, allow_abbrev=False)
    verb.declare(parser)
    parser.examples = verb.examples
    _refuse_words_of_others(name, words, parser)
    try:
        given = parser.parse_args(list(words))
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    _refuse_to_overwrite(given)
    exit_code: int = import_module(verb.module).run(given, console)
    return exit_code


def _refuse_words_of_others(verb: str, words: Sequence[str], parser: _Parser) -> None:
    """Raises UserError for a word that is written as verbs that take settings have it, or with one dash."""
    for before, word in zip(("", *words), words, strict=False):
        bare, given, value = word.lstrip("-").partition("=")
        if before.startswith("--") and "=" not in before:
            continue
        if bare == "experiment" and given:
            raise UserError(f"{verb}: {word}: a table is wanted, or a results folder, such as results/{value}")
        if not word.startswith("--") and f"--{bare}" in parser.flags and (given or word.startswith("-")):
            raise UserError(f"{verb}: {word}: flags have two dashes: --{bare} {value or 'VALUE'}")


def _refuse_to_overwrite(given: argparse.Namespace) -> None:
    """Raises UserError for an output that is one of the tables that are read."""
    named = [getattr(given, name, None) for name in ("table", "about", "files", "results")]
    read = [path for each in named if each for path in ([each] if isinstance(each, str) else each)]
    for flag in ("json", "plot"):
        written: str | None = getattr(given, flag, None)
        for path in read:
            if written and os.path.realpath(path) == os.path.realpath(written):
                raise UserError(f"--{flag} {written}: is the table that is read, and would be overwritten")
