"""Sources of data, a file each: what is named by `data.source` becomes a `Dataset`.

A source of your own is a function ``(argument: str, settings: DataSettings, kind: Kind) -> Found``, named as
``module.function:ARGUMENT`` in `data.source`; `found.Found` says what it gives.
"""

from __future__ import annotations

from harness.by_name import import_by_name
from harness.data.dataset import Dataset, Kind
from harness.data.settings import SOURCES, DataSettings
from harness.data.sources.found import Found, assembled
from harness.data.sources.unread import refuse_unread
from harness.errors import SettingError, UserError, nearest

#: Our own by the word before the colon; each is imported when it is asked for.
READERS = {name: f"harness.data.sources.{name}.read" for name in ("embedded", "path", "hf")}


def read(settings: DataSettings, kind: Kind) -> Dataset:
    """All examples of `data.source`, unsplit and as they are.

    Raises:
        SettingError: no source is set, there is none of this name, or a setting is given that nothing reads.
        UserError: what is there cannot be used; a line that names file and row.
    """
    if settings.source is None:
        raise SettingError("data.source", "null", f"{SOURCES} for a task that reads data; data=NAME chooses one")
    name, _, argument = settings.source.partition(":")
    if name not in READERS and "." not in name:
        raise SettingError("data.source", settings.source, SOURCES + nearest(name, READERS))
    reader = import_by_name("data.source", READERS.get(name, name))
    try:
        found = reader(argument, settings, kind)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise  # the function was called, and the mistake is in it
        wanted = "wanted is a function (argument, settings, kind)"
        raise UserError(f"data.source={settings.source}: {error}; {wanted}") from error
    if not isinstance(found, Found):
        raise UserError(f"data.source={settings.source}: gave {type(found).__name__}; wanted is a Found")
    if name in READERS:  # a source of the user's own may read any
        refuse_unread(settings, found, kind)
    return assembled(found, settings, kind)
