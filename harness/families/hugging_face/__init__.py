"""Weights in the layout of Hugging Face, read into our transformer where its settings make it the same model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, SettingError
from harness.families.base import Family, Shape
from harness.families.hugging_face.architecture import Architecture
from harness.families.hugging_face.folder import Config, Folder
from harness.families.hugging_face.gpt2 import read_gpt2
from harness.families.hugging_face.llama import read_llama
from harness.families.transformer import Transformer

if TYPE_CHECKING:
    import torch

    from harness.settings import ParametrizationSettings

#: What config.json may call its architecture, and who reads it.
_READERS = {
    "GPT2LMHeadModel": read_gpt2,
    "GPT2Model": read_gpt2,
    "LlamaForCausalLM": read_llama,
    "LlamaModel": read_llama,
}
_MODEL_TYPES = {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM"}


@dataclass(frozen=True)
class Described:
    """What a folder of weights holds.

    Attributes:
        shape: of the model.
        n_outputs: size of its vocabulary.
        shapes: of each parameter, by the names of our model.
        digest: SHA-256 of its files of weights, one after the other by name, in hexadecimal digits.
    """

    shape: Shape
    n_outputs: int
    shapes: Mapping[str, tuple[int, ...]]
    digest: str


def describe(folder: Path, family: Family, positions: int) -> Described:
    """The model that a folder holds; no tensor is loaded.

    Args:
        positions: of the model that is to start from it: of a longer table of learned positions the first are taken.

    Raises:
        UserError: it cannot be read, or the family with these settings is not that model.
    """
    found, architecture, _ = _opened(folder, family)
    shapes = {name: _joined_shape(architecture, name) for name in architecture.parameters}
    if (table := shapes.get(_POSITIONS)) is not None:
        shapes[_POSITIONS] = (min(table[0], positions), table[1])
    return Described(architecture.shape, architecture.vocabulary, shapes, found.digest)


def read_weights(
    folder: Path, family: Family, parametrization: ParametrizationSettings, positions: int
) -> dict[str, torch.Tensor]:
    """The parameters of the model that a folder holds, float32, by the names of our model.

    With them, the family's model gives the logits of the folder's under any parametrization: what our model multiplies
    by and that one does not is divided out of the parameters.

    Args:
        positions: as `describe`.

    Raises:
        UserError: as `describe`.
    """
    import torch

    found, architecture, own = _opened(folder, family)
    loaded = found.load()
    tensors = {}
    for name, parts in architecture.parameters.items():
        pieces = [loaded[architecture.stored(found.shapes, part.name)] for part in parts]
        pieces = [piece.T if part.transposed else piece for part, piece in zip(parts, pieces, strict=True)]
        tensors[name] = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
    if _POSITIONS in tensors:
        tensors[_POSITIONS] = tensors[_POSITIONS][:positions]
    return _without_our_scales(tensors, own, architecture.shape, parametrization)


_POSITIONS = "positions.weight"


def _opened(folder: Path, family: Family) -> tuple[Folder, Architecture, Transformer]:
    """A folder, what it holds, and the family, once they fit each other."""
    found = Folder.read(folder)
    architecture = _reader(found.config)(found.config)
    own = _checked_family(folder, architecture, family)
    _check_tensors(found, architecture)
    return found, architecture, own


def _reader(config: Config) -> Any:
    named = config.values.get("architectures") or [_MODEL_TYPES.get(str(config.values.get("model_type")))]
    if not isinstance(named, list) or len(named) != 1 or str(named[0]) not in _READERS:
        asked = "architectures" if config.values.get("architectures") else "model_type"
        raise config.refused(asked, config.values.get(asked), f"one of {', '.join(_READERS)}")
    return _READERS[named[0]]


def _checked_family(folder: Path, architecture: Architecture, family: Family) -> Transformer:
    """The family, which is the architecture of the folder.

    Raises:
        SettingError: it is another, or has other settings; names all that it needs.
    """
    holds = f"for {folder} holds {architecture.called}"
    if not isinstance(family, Transformer):
        raise SettingError("family", family.name, f"transformer, {holds}")
    settings = dict(architecture.settings)
    alike = replace(family, **{name: values[0] for name, values in settings.items()})
    width = architecture.shape.width
    if alike.hidden_width(width) != architecture.hidden:
        settings["mlp_ratio"] = (_mlp_ratio(alike, width, architecture.hidden),)
    usual = Transformer()
    needed = [
        f"family.{name}={_word(values[0])}" for name, values in settings.items() if getattr(usual, name) not in values
    ]
    for name, values in settings.items():
        if (value := getattr(family, name)) not in values:
            raise SettingError(f"family.{name}", value, f"{_word(values[0])}, {holds}, which needs {' '.join(needed)}")
    return family


def _mlp_ratio(family: Transformer, width: int, hidden: int) -> float:
    """The shortest number that gives this width of the feed-forward layer."""
    exact = hidden / width * (1.5 if family.activation == "swiglu" else 1)
    rounded = (float(f"{exact:.{digits}g}") for digits in range(1, 17))
    return next((it for it in rounded if replace(family, mlp_ratio=it).hidden_width(width) == hidden), exact)


def _word(value: Any) -> str:
    """A value as it is written on the command line."""
    return value if isinstance(value, str) else json.dumps(value)


def _check_tensors(found: Folder, architecture: Architecture) -> None:
    """Raise DataError where tensors are missing, have another shape than config.json says, or are of another model."""
    wanted = {architecture.stored(found.shapes, part.name): part for part in architecture.parts}
    for name, part in wanted.items():
        if name not in found.shapes:
            raise DataError(f"has no {part.name}, which {architecture.called} has", source=found.path)
        if found.shapes[name] != part.shape:
            raise DataError(
                f"{part.name} has the shape {found.shapes[name]}, and {part.shape} is what config.json says",
                source=found.path,
            )
    for name in found.shapes:
        if name not in wanted and not architecture.is_unused(name):
            raise DataError(f"holds {name}, which {architecture.called} has not", source=found.path)


def _joined_shape(architecture: Architecture, name: str) -> tuple[int, ...]:
    shapes = [part.shape[::-1] if part.transposed else part.shape for part in architecture.parameters[name]]
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def _without_our_scales(
    tensors: dict[str, torch.Tensor], family: Transformer, shape: Shape, parametrization: ParametrizationSettings
) -> dict[str, torch.Tensor]:
    """Parameters with which the factors of our model (`Transformer.scales`) change nothing.

    Queries carry that of attention, the last layer of each branch that of the branch, and the final norm that of the
    logits, which only a tied readout has.
    """
    scales = family.scales(shape, parametrization)
    of_queries = 1 / math.sqrt(shape.width / shape.heads) / scales.attention
    for name, tensor in tensors.items():
        layer = name.rpartition(".")[0]
        if layer.endswith("qkv") and of_queries != 1:
            tensors[name] = tensor.clone()
            tensors[name][: shape.width] *= of_queries
        elif layer.endswith((".out", ".down")):
            tensors[name] = tensor / scales.branch
        elif layer == "norm":
            tensors[name] = tensor / scales.logits
    return tensors
