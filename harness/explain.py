"""A command's mistake in one line or two: what Hydra and OmegaConf find, in the house's own words."""

from __future__ import annotations

import re

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from harness.config import config_folders
from harness.errors import nearest


def explain(error: Exception) -> str:
    """An error of Hydra or of OmegaConf in at most two lines."""
    if str(error).startswith("Ambiguous value for argument"):
        override = str(error).split("'")[1]
        return f"{override}: a list is written as [a,b]; to sweep over values add --multirun"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_choice(error.missing_cfg_file)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: not an override that Hydra's grammar knows: {_first_line(error)}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__ or error.__context__
    if isinstance(cause, OmegaConfBaseException):
        in_file = re.match(r"In '(.+?)': \w+ raised while composing", str(error))
        where = f"conf/{in_file[1]}.yaml: " if in_file else ""
        if isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
            return where + _unknown_setting(cause)
        setting = f"{cause.full_key}: " if in_file or error is cause else f"{_override_in(error)}: "
        return f"{where}{setting}{_first_line(cause)}"
    return "\n".join(str(error).strip().splitlines()[:2])


def _override_in(error: Exception) -> str:
    return _first_line(error).removeprefix("Error merging override ")


def _no_such_choice(path: str) -> str:
    group, _, name = path.rpartition("/") if path.startswith("hydra/") else path.partition("/")
    known = sorted(
        str(file.relative_to(folder / group).with_suffix(""))
        for folder in config_folders()
        for file in (folder / group).rglob("*.yaml")
    )
    allowed = f"\nchoose one of {', '.join(known)}" if known else ""
    return f"{group}={name}: there is no conf/{path}.yaml{nearest(name, known)}{allowed}"


def _unknown_setting(error: OmegaConfBaseException) -> str:
    name, parent = str(error.full_key or error.key), error.parent_node
    prefix = name.rpartition(".")[0]
    known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    full = [f"{prefix}.{key}" if prefix else key for key in known]
    return f"{name} is not a setting{nearest(name, full)}" if full else f"{name} is not a setting"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
