"""``harness.load_model``: a trained model from one kept checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config import rebuild
from harness.errors import DataError
from harness.families.base import Family, Shape
from harness.records.kept import read_contents
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
    about = read_contents(path).about
    try:
        settings, signature = about["settings"], dict(about["signature"])
        shape, parametrization = Shape(**settings["shape"]), ParametrizationSettings(**settings["parametrization"])
        signature["feature_shape"] = signature["feature_shape"] and tuple(signature["feature_shape"])
        wanted = Signature(**signature)
        named: dict[str, Any] = settings["family"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("its header is not that of a checkpoint of the harness", source=path) from error
    model = (family or rebuild([], "family", named)).build(shape, wanted, parametrization)
    found = {name.removeprefix(_MODEL): part for name, part in load_file(path).items() if name.startswith(_MODEL)}
    parameters = dict(model.named_parameters())
    if {name: part.shape for name, part in found.items()} != {name: part.shape for name, part in parameters.items()}:
        raise DataError(f"its tensors are not those of family={named.get('name')} as it is now", source=path)
    model.load_state_dict(found, strict=False)  # buffers are as the family builds them
    return model.eval()
