"""Verbs that take settings in Hydra's grammar: overrides are composed into studies, and the verb gets those.

All that Hydra does for the command line is here, and its errors leave as the user's mistakes, in the house's words.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn
from unittest.mock import patch

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from harness import config
from harness.choices import config_folders
from harness.command_words import AS_FOR_SWEEP, told_apart
from harness.errors import UnwritableError, UserError
from harness.explain import explain
from harness.records.folders import find_folder
from harness.records.working_copy import place_of
from harness.verbs import READING, VERBS


def run(verb: str | None, words: Sequence[str], console: Console) -> int:
    """Run a verb, None where only flags are given, with the words that follow it; its exit code.

    Raises:
        UserError: a mistake in the words or in a config, or whatever the verb raises.
    """
    told = told_apart(verb, words)
    command = Command(verb, console, told.flags)
    try:
        if verb is None or told.for_hydra:
            config.register()
            (overrides,) = told.commands()
            return _through_hydra(command, overrides)
        with config.composing():
            return command.run(told.commands())
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise UserError(explain(error)) from error


class Command:
    """A verb, as the task function that Hydra calls with one config and `hydra_plugins.harness_launcher` with many.

    With `shown` (--cfg job) the settings that the verb would get are printed instead.
    """

    def __init__(self, verb: str | None, console: Console, flags: Mapping[str, str | bool] | None = None) -> None:
        self.verb, self.console, self.exit_code = verb, console, 0
        self.shown: ShownSettings | None = None
        self.flags: dict[str, Any] = {
            name.removeprefix("--").replace("-", "_"): value for name, value in (flags or {}).items()
        }

    def __call__(self, _: DictConfig) -> None:
        self.run([list(HydraConfig.get().overrides.task)])

    def run(self, commands: Sequence[Sequence[str]]) -> int:
        """Run the verb on the studies of all these lists of overrides together."""
        if self.shown:
            self.shown.show(config.compose_commands(commands))
            return 0
        if self.verb is None:
            raise UserError(f"give a verb first: {', '.join(VERBS)}")
        configs = config.compose_commands(commands)
        if self.verb == "analyze" and not any(map(config.names_a_study, configs)):
            for overrides in commands:
                config.refuse_settings_of_a_study(overrides)
        if self.verb == "cancel" or (self.verb == "status" and not any(map(config.names_a_study, configs))):
            self.exit_code = _of_folders(self.verb, configs, self.console, **self.flags)
            return self.exit_code
        if self.verb in ("status", "redo") and not all(map(config.names_a_study, configs)):
            raise UserError(f"{self.verb}: no study is chosen; give {AS_FOR_SWEEP}")
        if self.verb == "verify":
            self.exit_code = _verify(configs, self.console, **self.flags)
        elif self.verb in READING:
            try:
                self.exit_code = _read_tables(self.verb, configs, self.console)
            except UnwritableError as error:
                elsewhere = f"copy it to where you may write, and name the copy: harness {self.verb} COPY"
                raise UserError(f"{error}; {self.verb} writes into the results folder: {elsewhere}") from error
        else:
            if self.verb in ("sweep", "train", "refine", "redo") and configs[0].launcher.engine == "local":
                _start_server()
            home = import_module(
                f"harness.sweeping.{self.verb if self.verb in ('refine', 'redo', 'status') else 'run'}"
            )
            studies = config.studies_of(configs)
            self.exit_code = getattr(home, self.verb)(studies, self.console, **self.flags)
        return self.exit_code


def _start_server() -> None:
    """Let the processes that train load torch while this one does."""
    from harness.sweeping import server

    with suppress(OSError, EOFError):
        server.start()


def _of_folders(verb: str, configs: Sequence[DictConfig], console: Console, watch: bool = False) -> int:
    from harness.sweeping.launchers import of_folders

    if watch:
        raise UserError(f"--watch: is of a study; give {AS_FOR_SWEEP}")
    folders = sorted({Path(config.to_settings_alone(study).results) for study in configs})
    if not all(folder.is_dir() for folder in folders) and not any(map(config.names_a_study, configs)):
        raise UserError(f"{verb}: no study is chosen; give {AS_FOR_SWEEP}, or a results folder")
    code: int = getattr(of_folders, verb)([find_folder(folder) for folder in folders], console)
    return code


def _verify(configs: Sequence[DictConfig], console: Console, fix: bool = False) -> int:
    from harness.sweeping.verify import verify

    studies = [config.to_settings(study) for study in configs if study.family is not None and study.task is not None]
    folders = sorted({Path(config.to_settings_alone(study).results) for study in configs})
    return verify(folders, partial(config.rebuild, studies), console, fix)


@dataclass(frozen=True)
class ShownSettings:
    """What --cfg job prints: the settings of every study, or one package of them, with references followed or not."""

    package: str | None
    resolve: bool

    def show(self, configs: Sequence[DictConfig]) -> None:
        """Print the settings of each study, under its name where there are several."""
        for study in configs:
            if self.resolve:
                OmegaConf.resolve(study)
            found = OmegaConf.select(study, self.package) if self.package else study
            if found is None:
                raise UserError(f"--package {self.package}: no such part of the settings")
            if len(configs) > 1:
                print(f"# study {study.study}\n---")
            if self.package:
                print(f"# @package {self.package}")
            print(OmegaConf.to_yaml(found) if OmegaConf.is_config(found) else f"{found}\n", end="")


def _read_tables(verb: str, configs: Sequence[DictConfig], console: Console) -> int:
    from harness.records.store import collect

    folders = [Path(config.to_settings_alone(study).results) for study in configs]
    for folder in sorted(set(folders)):
        found = collect(folder)
        counts = ", ".join(f"{n} {status}" for status, n in found.by_status.items() if n)
        told = f"{found.n_runs} runs ({counts}), {found.n_measurements:,} measurements"
        console.print(f"{place_of(folder)}: {told}", markup=False)
        for problem in found.problems:
            console.print(f"left out: {problem}", markup=False)
        for line in found.differing_data if verb == "collect" else ():
            console.print(f"warning: {line}", markup=False, soft_wrap=True)
        if verb == "analyze":
            _analyze(folder, [study for study, its in zip(configs, folders, strict=True) if its == folder], console)
    return 0


def _analyze(folder: Path, configs: Sequence[DictConfig], console: Console) -> None:
    """Analyse the runs that the studies ask for; all runs of the folder where no study is named."""
    from harness import report
    from harness.records.store import load_runs

    shared = config.to_settings_alone(configs[0])
    settings = dataclasses.asdict(shared.analysis)
    studies = config.studies_of(study for study in configs if config.names_a_study(study))
    chosen, to_do = None, list[str]()
    if studies:
        from harness.sweeping.asked import choose_runs, still_to_do

        runs = load_runs(folder)
        chosen = choose_runs(studies, runs, shared.curves_by)
        to_do = list(still_to_do(studies, runs))
    lines = [sweeping] if (sweeping := _sweeping(folder, to_do)) else to_do
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    report.show(folder, console, chosen, shared.curves_by, **settings)


def _sweeping(folder: Path, to_do: Sequence[str]) -> str | None:
    """That a sweep is running in a folder, and what is missing meanwhile; None where none is."""
    from harness.sweeping.presence import sweepers

    if not (found := [str(sweeper) for sweeper in sweepers(folder)]):
        return None
    missing = "; ".join(to_do) or f"{_in_training(folder)} runs are in training now; `harness status` counts the rest"
    return f"{folder}: a sweep is running ({', '.join(found)}), and this is what has ended so far: {missing}"


def _in_training(folder: Path) -> int:
    from harness.sweeping.claims import in_training

    return sum(len(job.run_ids) for job in in_training(folder))


# ------------------------------------------------------------------------------------------------- Hydra's own runtime


def _through_hydra(command: Command, words: list[str]) -> int:
    """Flags are Hydra's business: help, --cfg, --info, completion, --multirun."""
    if {"-sc", "--shell-completion"} & set(words) and _completed_verb(words):
        return 0
    shown, words = _settings_shown(words)
    command.shown = shown
    before, sys.argv = sys.argv, ["harness", *words]
    # Hydra then raises its errors instead of printing them at length.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        # The usual one would print Hydra's usage and exit. What Hydra notes of a multirun is of no use beside results.
        with patch.object(ArgumentParser, "error", _refuse), TemporaryDirectory() as notes:
            sys.argv.append(f"hydra.sweep.dir='{notes}'")
            hydra.main(str(config_folders()[-1]), "config", version_base="1.3")(command)()
    except ValueError as error:
        if not _is_of_hydra(error):
            raise
        raise UserError(explain(error)) from error
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return command.exit_code


def _is_of_hydra(error: Exception) -> bool:
    """Whether Hydra raised it, who says some mistakes in an override by a plain ValueError."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and str(last.tb_frame.f_globals.get("__name__")).startswith("hydra.")


def _settings_shown(words: list[str]) -> tuple[ShownSettings | None, list[str]]:
    """What --cfg job asks for, and the other words. Hydra would show one config and none of the studies it lists."""
    found: dict[str, str | None] = {}
    rest: list[str] = []
    parts = iter(part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word]))
    for part in parts:
        flag = {"-c": "--cfg", "-p": "--package"}.get(part, part)
        if flag in ("--cfg", "--package", "--resolve"):
            found[flag] = None if flag == "--resolve" else next(parts, None)
        else:
            rest.append(part)
    if found and "--cfg" not in found:
        flag = next(iter(found))
        raise UserError(f"{flag}: is of the settings that --cfg job shows: write --cfg job {flag}")
    if found.get("--cfg") != "job":
        return None, words
    package = found.get("--package")
    return ShownSettings(None if package == "_global_" else package, "--resolve" in found), rest


def _refuse(parser: ArgumentParser, message: str) -> NoReturn:
    raise UserError(f"{message} (see harness --help)")


def _completed_verb(overrides: Sequence[str]) -> bool:
    """Complete the verb where the cursor is on it; else hide it from Hydra, which knows no verbs, and return False."""
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if not any(o.startswith("query=") for o in overrides) or not words:
        return False
    if len(words) == 1 or (len(words) == 2 and not line.endswith(" ")):
        typed = words[1] if len(words) == 2 else ""
        print(" ".join(verb for verb in VERBS if verb.startswith(typed)))
        return not typed.startswith("-")
    if words[1] in VERBS:
        os.environ["COMP_LINE"] = line.replace(words[1], "", 1)
    return False
