"""Objects of the user's own, named as module.name in a command or a config."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from harness.errors import SettingError, UserError


def import_by_name(setting: str, name: str, *, from_here: bool = True) -> Any:
    """What `module.name` names.

    Args:
        setting: what the name was given for, for the message, e.g. `law`.
        from_here: whether the module may lie in the current folder, which whoever named it has chosen; otherwise
            nothing there is run, for the folder may come from a stranger.

    Raises:
        SettingError: not of the form module.name.
        UserError: the module cannot be imported, or holds nothing of this name; one line, with the place in the user's
            file where its own code fails.
    """
    module, _, attribute = name.rpartition(".")
    if not module or not attribute:
        raise SettingError(setting, name, "module.name")
    if from_here:
        _find_here(module)
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"{setting}={name} cannot be imported: {_explained(error)}") from error
    if not hasattr(found, attribute):
        raise UserError(f"{setting}={name} cannot be imported: module '{module}' has no attribute '{attribute}'")
    return getattr(found, attribute)


def _find_here(module: str) -> None:
    """Look for modules in the current folder from now on, where this one is nowhere else."""
    # An installed command has its own folder on the path, not the user's. It stays there for the workers of a sweep,
    # and for what the module itself imports later.
    here = os.getcwd()
    with suppress(ImportError, ValueError):
        if here in sys.path or module in sys.modules or find_spec(module.partition(".")[0]) is not None:
            return
    sys.path.append(here)


def _explained(error: BaseException) -> str:
    """An error of an import in one line, with its place where the message does not have it."""
    message = str(error).partition("\n")[0]
    if isinstance(error, (ImportError, SyntaxError)):
        return message
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {message} ({os.path.basename(frame.filename)}, line {frame.lineno})"
