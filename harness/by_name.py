"""Objects of the user's own, named as module.name in a command or a config."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

from harness.errors import SettingError, UserError


def import_by_name(setting: str, name: str) -> Any:
    """What `module.name` names; modules are looked for in the current folder too.

    Args:
        setting: what the name was given for, for the message, e.g. `law`.

    Raises:
        SettingError: not of the form module.name.
        UserError: the module cannot be imported, or holds nothing of this name; one line, with the place in the user's
            file where its own code fails.
    """
    module, _, attribute = name.rpartition(".")
    if not module or not attribute:
        raise SettingError(setting, name, "module.name")
    # An installed command has its own folder on the path, not the user's.
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"{setting}={name} cannot be imported: {_explained(error)}") from error
    if not hasattr(found, attribute):
        raise UserError(f"{setting}={name} cannot be imported: module '{module}' has no attribute '{attribute}'")
    return getattr(found, attribute)


def _explained(error: BaseException) -> str:
    """An error of an import in one line, with its place where the message does not have it."""
    message = str(error).partition("\n")[0]
    if isinstance(error, (ImportError, SyntaxError)):
        return message
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {message} ({os.path.basename(frame.filename)}, line {frame.lineno})"
