"""Whether a family's formulas are those of the models that it builds.

Every N and every FLOP on an axis comes from `Family.count` and `Family.training_flops`, and a run that is trained once
keeps them for good. So parameters are compared with `numel`, group by group, whenever a model is built, and FLOPs with
torch's counter, which sees each matrix product and convolution that forward and backward pass call.
"""

from __future__ import annotations

import dataclasses
from typing import get_args

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.errors import UserError
from harness.families.base import Family, Group, Shape
from harness.families.parametrization import count_by_group
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature

#: Largest relative difference between a FLOP formula and torch's count. MLP, CNN and transformer (rotary or learned
#: positions, tied or not, with or without feed-forward layers, causal) agree with it to the last FLOP at every size
#: that tests build. 5 % leaves room for what a formula may well neglect, such as that a recurrent layer's first state
#: needs no gradient (2 % of a GRU's FLOPs at 8 tokens). A forgotten product is a larger share of a small model.
FLOPS_TOLERANCE = 0.05

#: Training FLOPs of an example up to which a model is run on the CPU, in milliseconds: torch's meta device takes a
#: second of imports.
_FEW_FLOPS = 1e8

#: Examples in the batch that FLOPs are counted on; more than one, so that a batch dimension cannot pass for another.
_EXAMPLES = 2


def check_counts(model: nn.Module, family: Family, shape: Shape, signature: Signature) -> None:
    """Compare `family.count` with the parameters of a model that `family` built.

    Raises:
        UserError: they differ in a group, or a parameter has no role or one of an unknown group.
    """
    formula = dataclasses.asdict(family.count(shape, signature))
    built = {str(group): count for group, count in count_by_group(model).items()}
    groups = [*formula, *(group for group in built if group not in formula)]
    wrong = [
        f"{group} is {formula.get(group, 0):,} by count() and {built.get(group, 0):,} in the model"
        for group in groups
        if formula.get(group, 0) != built.get(group, 0)
    ]
    if len(groups) > len(formula):
        wrong.append(f"groups are {', '.join(get_args(Group))}")
    if wrong:
        raise UserError(f"{_name(family, shape)}: parameters are counted wrongly: {'; '.join(wrong)}")


def check_flops(model: nn.Module, family: Family, shape: Shape, signature: Signature) -> None:
    """Compare `family.forward_flops` and `family.training_flops` with what torch counts in a forward and backward pass.

    Passed over for a family whose products torch cannot count (`Family.counted_by_torch`).

    Raises:
        UserError: a formula differs from torch's count by more than FLOPS_TOLERANCE.
    """
    if not family.counted_by_torch:
        return
    for name, counted in zip(("forward_flops", "training_flops"), flops_by_torch(model, signature), strict=True):
        formula = getattr(family, name)(shape, signature)
        if abs(formula - counted) > FLOPS_TOLERANCE * counted:
            raise UserError(
                f"{_name(family, shape)}: {name}() gives {formula:,.0f} an example, and torch counts {counted:,.0f} in "
                f"matrix products and convolutions (allowed is a difference of {100 * FLOPS_TOLERANCE:g} %)"
            )


def flops_by_torch(model: nn.Module, signature: Signature) -> tuple[float, float]:
    """FLOPs of one example's forward pass, and of its forward and backward pass, as torch counts them.

    Attention is counted in full, causal or not: its products are made one by one, for the counter does not see into
    every fused kernel.
    """
    inputs = zero_inputs(signature)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = model(inputs)
        forward = counter.get_total_flops()
        logits.sum().backward()
    return forward / _EXAMPLES, counter.get_total_flops() / _EXAMPLES


def check_size(
    family: Family, shape: Shape, signature: Signature, parametrization: ParametrizationSettings, *, flops: bool
) -> None:
    """Build one size and check its roles, its counts, the shape of its logits and, if asked, its FLOPs.

    No number of a large size is computed: it is run on torch's meta device. A small one, and a model that needs numbers
    to be built or called, is run on the CPU.

    Raises:
        UserError: a count, a shape or a formula is wrong.
        Exception: whatever the family's own code raises.
    """

    def check() -> None:
        model = family.build(shape, signature, parametrization)
        check_counts(model, family, shape, signature)
        _check_logits(model, family, shape, signature)
        if flops:
            check_flops(model, family, shape, signature)

    if _is_small(family, shape, signature):
        with torch.random.fork_rng(devices=[]):  # its first weights are drawn
            check()
        return
    try:
        with torch.device("meta"):
            check()
    except UserError:
        raise
    except Exception:
        # Where the model is at fault and not the device, the same error comes again.
        check()


def cheap_device(family: Family, shape: Shape, signature: Signature) -> torch.device:
    """Where a size is built and run to be counted: the CPU for a small one, else torch's meta device."""
    return torch.device("cpu" if _is_small(family, shape, signature) else "meta")


def _is_small(family: Family, shape: Shape, signature: Signature) -> bool:
    return family.training_flops(shape, signature) <= _FEW_FLOPS


def _check_logits(model: nn.Module, family: Family, shape: Shape, signature: Signature) -> None:
    with torch.no_grad():
        logits = model(zero_inputs(signature))
    wanted = (_EXAMPLES, signature.answer_positions, signature.n_outputs)
    if tuple(logits.shape) != wanted:
        raise UserError(
            f"{_name(family, shape)}: logits of {_EXAMPLES} examples have shape {tuple(logits.shape)}, and {wanted} is "
            f"wanted: examples, answers, outputs"
        )


def zero_inputs(signature: Signature) -> torch.Tensor:
    """A batch of two examples of zeros, on the default device: what a model is tried on."""
    if signature.feature_kinds:
        return torch.zeros(_EXAMPLES, signature.context, 1 + max(n for _, n in signature.feature_kinds))
    if signature.vocab_size is not None:
        return torch.zeros(_EXAMPLES, signature.context, dtype=torch.int64)
    assert signature.feature_shape is not None
    return torch.zeros(_EXAMPLES, *signature.feature_shape)


def _name(family: Family, shape: Shape) -> str:
    heads = f", {shape.heads} heads" if shape.heads else ""
    return f"family={family.name} at width {shape.width}, depth {shape.depth}{heads}"
