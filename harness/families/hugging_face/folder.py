"""The files of a folder of Hugging Face: config.json and safetensors, neither of which can hold code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError

if TYPE_CHECKING:
    import torch

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
#: Ends of files that are pickles, which run code when they are loaded.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
#: Kinds of numbers, as safetensors call them.
_FLOATS = ("F32", "F16", "BF16", "F64")


@dataclass(frozen=True)
class Config:
    """What config.json says.

    Attributes:
        source: the file.
    """

    source: Path
    values: Mapping[str, Any]

    def whole(self, name: str, default: int | None = None, most: int = 2**31 - 1) -> int:
        """A whole number from 1 to `most`."""
        found = self._value(name, default)
        if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= most:
            raise self.refused(name, found, f"a whole number from 1 to {most:,}")
        return found

    def positive(self, name: str, default: float) -> float:
        """A number above 0 and below 1."""
        found = self._value(name, default)
        if not isinstance(found, int | float) or isinstance(found, bool) or not 0 < found < 1:
            raise self.refused(name, found, "a number above 0 and below 1")
        return float(found)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        if not isinstance(found := self._value(name, default), bool):
            raise self.refused(name, found, "true or false")
        return found

    def one_of(self, name: str, default: Any, *allowed: Any) -> Any:
        """One of the values that are known here."""
        if (found := self._value(name, default)) not in allowed:
            raise self.refused(name, found, " or ".join(json.dumps(value) for value in allowed))
        return found

    def _value(self, name: str, default: Any) -> Any:
        found = self.values.get(name)
        return default if found is None else found

    def refused(self, name: str, found: object, allowed: str) -> DataError:
        """The error of a value that is not allowed."""
        return DataError(f"{name}={json.dumps(found)}: allowed is {allowed}", source=self.source)


@dataclass(frozen=True)
class Folder:
    """A folder whose files can be read.

    Attributes:
        files: of weights, by name.
        shapes: of each tensor, as it is stored.
    """

    path: Path
    config: Config
    files: tuple[Path, ...]
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def read(cls, path: Path) -> Folder:
        """Read config.json and the headers of the files of weights.

        Raises:
            DataError: a file is missing, cannot be read or is not complete; weights are pickles or no plain floats.
        """
        config = Config(path / "config.json", _read_json(path / "config.json"))
        files, shapes = _weight_files(path), dict[str, tuple[int, ...]]()
        for file in files:
            shapes |= _shapes(file)
        return cls(path, config, files, shapes)

    @property
    def digest(self) -> str:
        """SHA-256 of the files of weights, one after the other; of a single file, its own."""
        stats = [(file, file.stat()) for file in self.files]
        return _digest(tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats))

    def load(self) -> dict[str, torch.Tensor]:
        """All tensors, float32.

        Raises:
            DataError: a file cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        tensors: dict[str, torch.Tensor] = {}
        for file in self.files:
            try:
                tensors |= {name: tensor.float() for name, tensor in load_file(file).items()}
            except (OSError, SafetensorError) as error:
                raise _unreadable(file, error) from error
        return tensors


def _weight_files(path: Path) -> tuple[Path, ...]:
    if (path / _WHOLE).is_file():
        return (path / _WHOLE,)
    if not (path / _INDEX).is_file():
        pickles = sorted(file.name for file in path.iterdir() if file.suffix in _PICKLES)
        if pickles:
            raise DataError(
                f"{pickles[0]} is a pickle, which can run code and is never loaded: allowed is {_WHOLE}, which "
                "transformers writes by save_pretrained",
                source=path,
            )
        raise DataError(f"has neither {_WHOLE} nor {_INDEX}", source=path)
    places = _read_json(path / _INDEX).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise DataError("its weight_map does not name the file of each tensor", source=path / _INDEX)
    names = sorted(set(places.values()))
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise DataError(f"{name!r} is no safetensors file of this folder", source=path / _INDEX)
        if not (path / name).is_file():
            raise DataError(f"{name} is missing", source=path / _INDEX)
    return tuple(path / name for name in names)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=path) from error
    except (ValueError, RecursionError) as error:
        raise DataError("is not JSON", source=path) from error
    if not isinstance(content, dict):
        raise DataError("is no JSON object", source=path)
    return content


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    shapes = {}
    try:
        with safe_open(file, framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118 - no dict
                stored = opened.get_slice(name)
                if (kind := stored.get_dtype()) not in _FLOATS:
                    raise DataError(f"{name} is of {kind}: allowed is one of {', '.join(_FLOATS)}", source=file)
                shapes[name] = tuple(stored.get_shape())
    except (OSError, SafetensorError) as error:
        raise _unreadable(file, error) from error
    return shapes


def _unreadable(file: Path, error: Exception) -> DataError:
    return DataError(f"cannot be read: {str(error).splitlines()[0]}", source=file)


@lru_cache
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Args: files, each with its size and time of change, so that one that has changed is read again."""
    digest = hashlib.sha256()
    for path, *_ in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
