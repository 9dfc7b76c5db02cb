"""``harness.load_model``: a trained model from one kept checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from harness.config import rebuild
from harness.errors import DataError
from harness.families.base import Family, Shape
from harness.records.kept import check_whole, read_contents
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature

if TYPE_CHECKING:
    from torch import nn

_MODEL = "model."


def load_model(path: Path | str, family: Family | None = None) -> nn.Module:
    """The model of a kept checkpoint (``training.keep``), with the parameters that it had there, on CPU.

    The file holds tensors and JSON; nothing in it is run. Neither the task nor its data are needed. Without the
    harness, ``safetensors.torch.load_file(path)`` gives the tensors: ``model.NAME``, float32, by the names of the
    module's parameters, and ``optimizer.AVERAGE.NAME``.

    Args:
        path: one of `harness.checkpoints`.
        family: one of your own, with the settings of the run, where ``./conf/family`` does not name it or its module
            lies in the working folder.

    Returns:
        The module in evaluation mode: inputs (B, T) or (B, *feature_shape) -> logits (B, S, n_outputs).

    Raises:
        DataError: a file that is no checkpoint of the harness, or whose tensors are not those of the model.
        UserError: a family that is not known.

    Examples:
        >>> kept = harness.checkpoints("results/quickstart")  # doctest: +SKIP
        >>> model = harness.load_model(kept["path"].iloc[-1])  # doctest: +SKIP
    """
    from safetensors.torch import load_file

    path = Path(path)
    contents = read_contents(path)
    try:
        settings, signature = contents.about["settings"], dict(contents.about["signature"])
        shape, parametrization = Shape(**settings["shape"]), ParametrizationSettings(**settings["parametrization"])
        signature["feature_shape"] = signature["feature_shape"] and tuple(signature["feature_shape"])
        signature["feature_kinds"] = tuple((name, n) for name, n in signature.get("feature_kinds", ()))
        wanted, named = Signature(**signature), dict(settings["family"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("its header is not that of a checkpoint of the harness", source=path) from error
    family = family or rebuild([], "family", named)
    others = DataError(f"its tensors are not those of family={named.get('name')} as it is now", source=path)
    shapes = {name.removeprefix(_MODEL): of for name, of in contents.shapes.items() if name.startswith(_MODEL)}
    try:
        # Counted before it is built: a header may state any size.
        if family.count(shape, wanted).total != sum(map(math.prod, shapes.values())):
            raise others
        model = family.build(shape, wanted, parametrization)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise others from error
    if shapes != {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}:
        raise others
    check_whole(path)
    found = {name.removeprefix(_MODEL): tensor for name, tensor in load_file(path).items()}
    model.load_state_dict({name: found[name] for name in shapes}, strict=False)  # buffers are as the family builds them
    return model.eval()
