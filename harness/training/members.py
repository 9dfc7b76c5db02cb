"""Members of one rung side by side: one tensor of parameters, one step for all of them.

Each model stays the plain module that its family wrote. `vmap` runs it over members; a lone one runs as it is. Forward
and backward pass are traced into plain tensor operations and replayed (`harness.training.gradients`), which spares the
cost of dispatching at every step (measured in experiments/members). A model that vmap cannot run, such as a recurrent
one, is called for one member after another, without vmap and without a trace.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn
from torch.backends import cudnn
from torch.func import functional_call, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.errors import UserError
from harness.families.adapted import adapt, fresh_parameters, merged
from harness.families.check import check_counts, zero_inputs
from harness.families.dropout import Dropout, keys
from harness.families.parametrization import initialise, is_adapter, roles_of
from harness.finetuning import FinetuneSettings
from harness.ladder import Job, Member
from harness.tasks.base import Signature
from harness.training.group import ALONE, Group
from harness.training.losses import Criterion, criterion
from harness.training.rates import Rates

if TYPE_CHECKING:
    from harness.training.sharded import Shards

#: What dropout draws masks by, by the name of the buffer.
Keys = dict[str, torch.Tensor]

#: The parameters that a member starts from, by name.
Start = Callable[[Member], Mapping[str, torch.Tensor]]

#: Of all members, (M, *shape) each, by name.
Tensors = Mapping[str, torch.Tensor]


@dataclass
class Stack:
    """M members of one model.

    Attributes:
        skeleton: the module, run on parameters given from outside; it holds no storage of its own.
        seeds: of each member.
        buffers: what the module keeps beside its parameters (tables of constants), shared by all members.
        trained: the names of the parameters that training changes, in the order of `params_MP`.
        params_MP: (M, P) these parameters of each member.
        frozen: the others, (M, *shape) each, by name.
        finetune: how they come to be so.
        rates: settings of the optimizer, entry by entry.
        forward_flops: of one member's forward pass on one example, by the family's formula.
        criterion: what training minimises, without its penalties.
        decays_P: (P,) bool, the entries to which weight decay and penalties apply.
        bfloat16: whether matrix products run in bfloat16 under autocast.
        unbatched: why vmap cannot run the model over members, in a line; None where it can.
        unscored: positions at the beginning of an example that a training step gives no logits of: none is scored, and
            the model can leave them out.
        architecture: tells models apart whose operations differ, for the same shapes of tensors.
        micro_batches: into how many parts a batch, and the evaluation set, is split at least.
        group: the processes that train them together.
        shards: the model in shards on these processes, and then `params_MP`, `rates` and `decays_P` are of the entries
            that this one holds alone; None where each holds all.
    """

    skeleton: nn.Module
    seeds: tuple[int, ...]
    buffers: dict[str, torch.Tensor]
    trained: tuple[str, ...]
    params_MP: torch.Tensor
    frozen: dict[str, torch.Tensor]
    finetune: FinetuneSettings
    rates: Rates
    forward_flops: float
    criterion: Criterion
    decays_P: torch.Tensor
    bfloat16: bool
    unbatched: str | None
    unscored: int
    architecture: object
    micro_batches: int = 1
    group: Group = ALONE
    shards: Shards | None = None

    @classmethod
    def of(cls, job: Job, device: torch.device, start: Start | None = None) -> Stack:
        """Build the members of a job; each member's values depend on its own seed and what it starts from alone.

        Args:
            start: what each member starts from, for a job whose members have parents; None leaves them initial values.

        Raises:
            UserError: the model's roles are not those of its parameters, or what it starts from is of another shape.
        """
        settings, shape = job.settings, job.rung.shape
        model = settings.family.build(shape, settings.signature, settings.parametrization)
        check_counts(model, settings.family, shape, settings.signature)
        fresh = fresh_parameters(model, settings.finetune, settings.parents_outputs, settings.signature)
        trained = adapt(model, settings.finetune, fresh)
        unbatched = why_unbatched(model, settings.signature)
        rows, kept = [], []
        for member in job.members:
            generator = torch.Generator().manual_seed(member.seed)
            initialise(model, shape.width, settings.parametrization, generator)
            if start is not None and member.parent is not None:
                start_from(model, start(member), fresh)
            values = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
            rows.append(torch.cat([values.pop(name).flatten() for name in trained]))
            kept.append(values)
        return cls(
            seeds=tuple(member.seed for member in job.members),
            buffers={name: buffer.to(device) for name, buffer in model.named_buffers()},
            skeleton=model.to("meta"),
            trained=trained,
            params_MP=torch.stack(rows).to(device),
            frozen={name: torch.stack([values[name] for values in kept]).to(device) for name in kept[0]},
            finetune=settings.finetune,
            rates=Rates.of(job, model, trained, device),
            forward_flops=settings.family.forward_flops(shape, settings.signature),
            criterion=criterion(settings.loss),
            decays_P=_decays(model, trained).to(device),
            bfloat16=settings.training.precision == "bfloat16",
            unbatched=unbatched,
            unscored=settings.task.first_scored if hasattr(model, "unanswered") else 0,
            architecture=_architecture(job),
            micro_batches=job.micro_batches,
        )

    def by_name(self, values_MP: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Views of `params_MP`, or of other values for the same entries, as each parameter's (M, *shape).

        Of shards, copies on the host, for which all processes of the group take part.
        """
        shapes = [self.skeleton.get_parameter(name).shape for name in self.trained]
        values_MP = self.whole(self.params_MP if values_MP is None else values_MP)
        parts = values_MP.split([shape.numel() for shape in shapes], dim=1)
        return {name: part.unflatten(1, shape) for name, part, shape in zip(self.trained, parts, shapes, strict=True)}

    def whole(self, values_MP: torch.Tensor) -> torch.Tensor:
        """(M, P) values of all entries, from those that this process holds; all of its group take part."""
        return values_MP if self.shards is None else self.shards.whole(values_MP)

    def own(self, values_MP: torch.Tensor) -> torch.Tensor:
        """Of values of all entries those that this process holds."""
        return values_MP if self.shards is None else self.shards.own(values_MP)

    def norms(self, values_MP: torch.Tensor) -> torch.Tensor:
        """(M, 1) the 2-norm of each member's values, over all entries."""
        norm_M1 = values_MP.norm(dim=1, keepdim=True)
        if self.shards is None:
            return norm_M1
        squares_M1 = norm_M1.square()
        self.group.add(squares_M1)
        return squares_M1.sqrt()

    @property
    def models(self) -> dict[str, torch.Tensor]:
        """All parameters of the members' models, (M, *shape) each, adapters added to the matrices beside them."""
        values = self.frozen | self.by_name()
        ordered = {name: values[name] for name, _ in self.skeleton.named_parameters()}
        return merged(ordered, self.finetune)

    def dropout_keys(self, steps: Sequence[int]) -> torch.Tensor:
        """What the members' dropout layers draw their masks by at each of K steps, (K, M, L) in the order of layers."""
        if not self.dropouts:
            return torch.empty(len(steps), len(self.seeds), 0, dtype=torch.int32)
        of_steps = np.stack([keys(self.seeds, step, len(self.dropouts)) for step in steps])
        return torch.from_numpy(of_steps).to(self.params_MP.device)

    def dropout_parts(self, before: int, size: int) -> Keys:
        """What the members' dropout layers are told of a micro-batch, (M, 2) each, by the name of their buffer.

        Args:
            before: examples of the whole batch that come before it.
            size: examples in it.
        """
        device = self.params_MP.device
        part = torch.tensor([before, size], dtype=torch.int32, device=device).expand(len(self.seeds), 2)
        return {f"{name.removesuffix('key')}part": part for name in self.dropouts}

    @cached_property
    def dropouts(self) -> dict[str, Dropout]:
        """Each dropout layer, by the name of the buffer that holds its key."""
        modules = self.skeleton.named_modules()
        return {f"{name}.key": module for name, module in modules if isinstance(module, Dropout)}

    def logits(
        self, params: Tensors, inputs: torch.Tensor, dropout_keys: Keys | None = None, unscored: int = 0
    ) -> torch.Tensor:
        """(M, B, ...) inputs, one batch a member -> (M, B, S - unscored, n_outputs) float32 logits.

        Args:
            params: those that are trained, and any of the others that are not to be the stack's own.
            dropout_keys: those of a training step; None to drop nothing.
        """
        if self.shards is not None:
            return self.shards.logits(self, inputs, dropout_keys, unscored)
        for dropout in self.dropouts.values():
            dropout.train(dropout_keys is not None)

        def one(own: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
            with (
                leaving_out(self.skeleton, unscored),
                torch.autocast(x.device.type, torch.bfloat16) if self.bfloat16 else nullcontext(),
            ):
                return functional_call(self.skeleton, self.buffers | own, (x,))

        of_members = {**self.frozen, **params, **(dropout_keys or {})}
        # A lone member is the plain module, whose operations are fewer than those under vmap.
        batched = self.unbatched is None and len(inputs) > 1
        with _kernels_that_transform(inputs.device, batched, self.unbatched is None):
            if batched:
                with _member_by_member_in_silence():
                    return vmap(one)(of_members, inputs).float()
            if len(inputs) == 1:
                return one({name: value[0] for name, value in of_members.items()}, inputs[0]).float()[None]
            by_member = zip(*(value.unbind() for value in of_members.values()), strict=True)
            alone = [dict(zip(of_members, values, strict=True)) for values in by_member]
            return torch.stack([one(own, x) for own, x in zip(alone, inputs.unbind(), strict=True)]).float()

    def losses(
        self,
        params: Tensors,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
        dropout_keys: Keys | None = None,
    ) -> torch.Tensor:
        """(M,) weighted sum of the criterion; weights are (M, B, S), targets too or (M, B, S, n_outputs)."""
        outputs = self.logits(params, inputs, dropout_keys, self.unscored)
        losses = self.criterion(outputs, targets[:, :, self.unscored :] if self.unscored else targets)
        return (losses * (weights[:, :, self.unscored :] if self.unscored else weights)).flatten(1).sum(dim=1)

    def loss_and_grad(
        self,
        params: Tensors,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        weights: torch.Tensor,
        dropout_keys: Keys | None = None,
        frozen: Tensors | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(M,) `losses` and (M, P) their gradient by `params`; `frozen` are the stack's own if None."""
        fixed = dict(frozen or {})
        losses, pull, *_ = vjp(lambda p: self.losses(fixed | p, inputs, targets, weights, dropout_keys), dict(params))
        (grads,) = pull(torch.ones_like(losses))
        return losses, torch.cat([grad.flatten(1) for grad in grads.values()], dim=1)


@contextmanager
def leaving_out(model: nn.Module, positions: int) -> Iterator[None]:
    """Let a model give no logits of its first answers."""
    if not positions:
        yield
        return
    before = cast("int", model.unanswered)
    model.unanswered = before + positions  # type: ignore[assignment]  # what torch takes for a tensor or a module
    try:
        yield
    finally:
        model.unanswered = before  # type: ignore[assignment]


def _architecture(job: Job) -> object:
    """Equal for jobs whose models are the same operations on tensors of the same shapes."""
    settings = job.settings
    of_step = settings.family, settings.task.signature, settings.parametrization, settings.loss, settings.finetune
    try:
        of_task = settings.parents_outputs, settings.task.first_scored
        return pickle.dumps((of_step, of_task, settings.training.precision, job.rung.shape))
    except (pickle.PicklingError, AttributeError, TypeError):  # a class of a script's own
        return object()


def why_unbatched(model: nn.Module, signature: Signature) -> str | None:
    """Why vmap cannot run a model over members, in a line; None where it can.

    A model that cannot run without vmap either raises its own error here, which says more than vmap's.
    """
    inputs = zero_inputs(signature)[None]
    params = {name: parameter.detach()[None] for name, parameter in model.named_parameters()}
    try:
        with _member_by_member_in_silence():
            vmap(lambda p, x: functional_call(model, p, (x,)))(params, inputs)
    except Exception as error:
        with torch.no_grad():
            model(inputs[0])
        return str(error).strip().splitlines()[0]
    return None


@contextmanager
def _member_by_member_in_silence() -> Iterator[None]:
    """torch warns of operations without a batching rule, which it runs member by member: no slower than one alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop because we have not yet implemented")
        yield


def _kernels_that_transform(device: torch.device, batched: bool, traced: bool) -> AbstractContextManager[None]:
    """Keeps torch, on CUDA, to kernels that its transforms (vmap, vjp) can run; on an H200 with torch 2.11 others fail.

    Under vmap the backward pass of fused attention raises ("LSE is not correctly aligned") in float32 and is NaN in
    bfloat16. cuDNN's recurrent layers ask for the storage of parameters, which those that vjp follows do not have.
    """
    if device.type != "cuda":
        return nullcontext()
    if batched:
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext() if traced else cudnn.flags(enabled=False)


def start_from(model: nn.Module, weights: Mapping[str, torch.Tensor], fresh: Collection[str]) -> None:
    """Give a model the parameters of another; adapters and those that are drawn anew keep their values.

    Raises:
        UserError: a parameter is missing, or of another shape.
    """
    wanted = {name: p for name, p in model.named_parameters() if name not in fresh and not is_adapter(name)}
    for name, parameter in wanted.items():
        if name not in weights:
            raise UserError(f"init_from: the checkpoint has no {name}; finetune.reset=[{name}] draws it anew")
        if weights[name].shape != parameter.shape:
            found, allowed = tuple(weights[name].shape), tuple(parameter.shape)
            raise UserError(
                f"init_from: {name} has the shape {found} in the checkpoint and {allowed} here; "
                f"finetune.reset=[{name}] draws it anew"
            )
        parameter.data.copy_(weights[name])


def _decays(model: nn.Module, trained: Sequence[str]) -> torch.Tensor:
    """(P,) whether weight decay and penalties apply to each entry that is trained."""
    roles = roles_of(model)
    return torch.cat([torch.full((model.get_parameter(name).numel(),), roles[name].decays) for name in trained])
