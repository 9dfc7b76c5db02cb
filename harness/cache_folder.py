"""Where what is slow to find out is kept between processes."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """The folder that HARNESS_CACHE names, by default scaling-harness in the user's cache folder; None to keep nothing.

    That of the user is $XDG_CACHE_HOME or ~/.cache; an empty HARNESS_CACHE keeps nothing.
    """
    if (named := os.environ.get("HARNESS_CACHE")) is not None:
        return Path(named) if named else None
    of_user = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(of_user) / "scaling-harness"
