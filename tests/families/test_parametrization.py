"""Factors of width and depth: those of the papers' tables; models that agree at the base size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import NextSymbol, SignOfSum, make_settings
from torch import nn

from harness.errors import SettingError, UserError
from harness.families.base import Shape
from harness.families.mlp import MLP
from harness.families.parametrization import Factors, Role, branch_scale, count_by_group, factors, initialise, roles_of
from harness.families.transformer import Transformer
from harness.ladder import build_ladder, members
from harness.settings import ParametrizationSettings

HIDDEN = Role("mlp", "hidden", 1.0, residual=True)


# --------------------------------------------------------------------------------------------------------------- width


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("adam", {"input": 1, "hidden": 1 / 4, "output": 1 / 4}),
        ("adamw", {"input": 1, "hidden": 1 / 4, "output": 1 / 4}),
        ("gd", {"input": 4, "hidden": 1, "output": 1 / 4}),
        ("sgd", {"input": 4, "hidden": 1, "output": 1 / 4}),
        ("muon", {"input": 1, "hidden": 1, "output": 1 / 4}),
    ],
)
def test_learning_rate_factors_are_those_of_table_3(optimizer, expected):
    settings = ParametrizationSettings("mup", base_width=16)
    found = {kind: factors(Role("mlp", kind, 1.0), Shape(64, 1), settings, optimizer).lr for kind in expected}
    assert found == expected
    standard = ParametrizationSettings("standard")
    assert factors(Role("mlp", "hidden", 1.0), Shape(64, 1), standard, optimizer) == Factors(1, 1, 1)


def test_both_kinds_agree_at_the_base_width():
    task, family, shape = NextSymbol(), Transformer(zero_head=False), Shape(16, 2, 2)
    logits = []
    for kind in ("standard", "mup"):
        settings = ParametrizationSettings(kind, base_width=16, base_heads=2)
        model = family.build(shape, task.signature, settings)
        initialise(model, shape.width, settings, torch.Generator().manual_seed(0))
        logits.append(model(torch.from_numpy(task.eval_batch().inputs)))
    torch.testing.assert_close(*logits)


def test_initial_values_have_the_size_that_their_role_says():
    settings = ParametrizationSettings("mup", base_width=16)
    model = Transformer(zero_head=False).build(Shape(256, 1, 4), NextSymbol(n_symbols=512).signature, settings)
    initialise(model, 256, settings, torch.Generator().manual_seed(0))
    stds = {name: float(p.detach().std()) for name, p in model.named_parameters()}
    # Each table has over 60,000 entries: its standard deviation is known to 0.3 %.
    assert stds["embedding.weight"] == pytest.approx(1.0, rel=0.02)
    assert stds["blocks.0.attention.inner.qkv.weight"] == pytest.approx(1 / 16, rel=0.02)
    assert stds["head.weight"] == pytest.approx(1 / 16 / 4, rel=0.02)
    assert np.isclose(float(model.norm.weight.detach().mean()), 1.0)


# --------------------------------------------------------------------------------------------------------------- depth


@pytest.mark.parametrize(("rule", "alpha"), [("sqrt", 0.5), ("complete", 1.0)])
def test_depth_factors_are_those_of_completep_table_1(rule, alpha):
    settings = ParametrizationSettings("mup", base_width=16, depth=rule, base_depth=2)
    m_N, m_L, shape = 4, 8, Shape(64, 16)
    assert branch_scale(16, settings) == pytest.approx(m_L**-alpha)
    for role, lr, eps in [
        (HIDDEN, m_L ** (alpha - 1) / m_N, m_L**-alpha / m_N),
        (Role("norm", "input", 0.0, residual=True), m_L ** (alpha - 1), m_L**-alpha / m_N),  # gains before a branch
        (Role("norm", "input", 0.0), 1, 1),  # the last norm, the embedding
        (Role("head", "output", 0.0), 1 / m_N, 1),
    ]:
        found = factors(role, shape, settings, "adamw")
        assert (found.lr, found.eps) == (pytest.approx(lr), pytest.approx(eps))
    assert factors(HIDDEN, shape, settings, "sgd").lr == pytest.approx(m_L ** (2 * alpha - 1))


@pytest.mark.parametrize("rule", ["none", "sqrt", "complete"])
def test_all_rules_agree_at_the_base_depth(rule):
    settings = ParametrizationSettings("mup", base_width=16, depth=rule, base_depth=3)
    assert branch_scale(3, settings) == 1
    assert factors(HIDDEN, Shape(16, 3), settings, "adamw") == Factors(1, 1, 1)


@pytest.mark.parametrize("kind", ["standard", "mup"])
def test_without_a_depth_rule_depth_changes_nothing(kind):
    settings = ParametrizationSettings(kind, base_width=16)
    assert branch_scale(32, settings) == 1
    assert factors(HIDDEN, Shape(64, 32), settings, "adamw") == factors(HIDDEN, Shape(64, 1), settings, "adamw")


# -------------------------------------------------------------------------------------------------------- weight decay


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("kind", ["input", "hidden", "output"])
def test_decay_is_independent_of_width_unless_coupled(kind, optimizer):
    role, shape = Role("mlp", kind, 1.0), Shape(64, 1)
    independent = factors(role, shape, ParametrizationSettings("mup", base_width=16), optimizer)
    coupled = factors(role, shape, ParametrizationSettings("mup", base_width=16, decay="coupled"), optimizer)
    assert independent.decay == 1
    assert coupled.decay == coupled.lr == independent.lr
    undecayed = Role("norm", kind, 0.0, decays=False)
    assert factors(undecayed, shape, ParametrizationSettings("mup", base_width=16), optimizer).decay == 0


@pytest.mark.parametrize("wrong", [{"decay": "none"}, {"depth": "cubic"}, {"base_depth": 0}])
def test_settings_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(SettingError, match=f"^parametrization.{next(iter(wrong))}="):
        ParametrizationSettings(**wrong)


# ------------------------------------------------------------------------------------------------ the identity of a run


def run_ids(family=None, task=None, **changes):
    settings = make_settings(family or Transformer(), task or NextSymbol(), **changes)
    return [m.run_id for rung in build_ladder(settings) for m in members(settings, rung, 0)]


MUP = {"parametrization__kind": "mup"}
DECAY = {"optimizer__weight_decay": 0.1}


@pytest.mark.parametrize("kind", ["standard", "mup"])
@pytest.mark.parametrize("changes", [{"parametrization__decay": "coupled"}, {"parametrization__base_depth": 4}])
def test_what_changes_no_number_is_not_in_the_identity(kind, changes):
    assert run_ids(parametrization__kind=kind, **changes) == run_ids(parametrization__kind=kind)


def test_decay_is_in_the_identity_where_it_changes_numbers():
    assert run_ids(**DECAY, parametrization__decay="coupled") == run_ids(**DECAY)  # no factors: the same either way
    independent, coupled = run_ids(**DECAY, **MUP), run_ids(**DECAY, **MUP, parametrization__decay="coupled")
    assert not set(independent) & set(coupled)


def test_a_depth_rule_is_in_the_identity():
    found = [run_ids(parametrization__depth=rule) for rule in ("none", "sqrt", "complete")]
    found.append(run_ids(parametrization__depth="complete", parametrization__base_depth=2))
    assert len({run_id for ids in found for run_id in ids}) == sum(map(len, found))


def test_runs_from_before_these_settings_keep_their_identity():
    # As the harness gave them out when parametrization was kind, base_width and base_heads: under `coupled`, which was
    # how weight decay worked then, and without weight decay.
    mlp = {"family": MLP(), "task": SignOfSum()}
    assert run_ids(**mlp)[0] == "db0745bd73ffba6f"
    mup = mlp | MUP | {"parametrization__base_width": 4}
    assert run_ids(**mup)[0] == "9f4beaea05c46ddc"
    assert run_ids(**mup, **DECAY, parametrization__decay="coupled")[0] == "bfa003d31bdd4277"


# --------------------------------------------------------------------------------------------------------------- roles


class Nameless(nn.Linear):
    pass


class Mistaken(nn.Linear):
    def roles(self):
        return {"weight": Role("mlp", "hidden", 1.0), "wieght": Role("mlp", "hidden", 1.0)}


def test_mistaken_roles_are_named():
    with pytest.raises(UserError, match=r"Mistaken\.roles\(\) .*; without a role: bias; not a parameter: wieght$"):
        roles_of(Mistaken(2, 2))
    with pytest.raises(UserError, match=r"Nameless has no method roles\(\)"):
        count_by_group(Nameless(2, 2))
