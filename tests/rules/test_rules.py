"""Rules: powers by hand, published formulas at a known size, and what is refused."""

from __future__ import annotations

import pytest

from harness.errors import SettingError
from harness.families.base import ParameterCount
from harness.rules.base import BATCH_SIZE, BETA2, LR, WARMUP, WEIGHT_DECAY, Scale
from harness.rules.reading import rule_of

#: 108M parameters without embeddings on 2.16B tokens, in contexts of 2048.
AT = Scale(ParameterCount(embedding=20_000_000, mlp=108_000_000), 2048, 7e8, tokens=2.16e9, batch_size=160)


def value(setting, **rule):
    return rule_of(setting, rule).resolved(setting, AT)


def test_powers_of_parameters_and_tokens():
    assert value(LR, rule="power", at=0.01) == 0.01
    assert value(LR, rule="power", at=0.01, N=-0.5, N0=27e6) == pytest.approx(0.005)
    assert value(LR, rule="power", at=0.01, N=-0.5, N0=32e6, count="params_total") == pytest.approx(0.005)
    assert value(LR, rule="power", at=0.01, N=-0.5, N0=27e6, D=0.5, D0=2.16e7) == pytest.approx(0.05)
    assert value(LR, rule="power", at=0.01, times=[0.5, 1, 2]) == [0.005, 0.01, 0.02]
    assert value(WEIGHT_DECAY, rule="power", at=0.1, times=2) == 0.2


def test_batch_sizes_are_whole():
    assert value(BATCH_SIZE, rule="power", at=64) == 64
    assert value(BATCH_SIZE, rule="power", at=90.4) == 90
    assert value(BATCH_SIZE, rule="power", at=90.4, power_of_two=True) == 64
    assert value(BATCH_SIZE, rule="power", at=0.6) == 1
    assert isinstance(value(BATCH_SIZE, rule="power", at=100, power_of_two=True), int)


def test_warmup_and_forgetting_in_tokens():
    assert value(WARMUP, rule="tokens", at=1, N=1) == pytest.approx(0.05)
    # Half is forgotten in ten steps.
    assert value(BETA2, rule="half_life", at=10 * 160 * 2048) ** 10 == pytest.approx(0.5)


def test_step_law():
    assert value(LR, rule="steplaw") == pytest.approx(1.79 * 108e6**-0.713 * 2.16e9**0.307)
    assert value(BATCH_SIZE, rule="steplaw") == round(0.58 * 2.16e9**0.571 / 2048)


def test_deepseek():
    compute = 7e8 * 2.16e9
    assert value(LR, rule="deepseek") == pytest.approx(0.3118 * compute**-0.125)
    assert value(BATCH_SIZE, rule="deepseek") == round(0.2920 * compute**0.3271 / 2048)


def test_olmo_core():
    # 108M parameters are where its powers are 1.
    found = [value(name, rule="olmo_core") for name in (BATCH_SIZE, LR, BETA2, WEIGHT_DECAY, WARMUP)]
    assert found == pytest.approx([160, 0.00235, 0.99, 0.1, 0.05])
    large = Scale(AT.params, 2048, 7e8, tokens=2.16e9, batch_size=256)
    assert rule_of(BETA2, {"rule": "olmo_core"}).resolved(BETA2, large) == 0.95


@pytest.mark.parametrize(
    ("setting", "rule", "says"),
    [
        (LR, {"rule": "power", "at": 0.01, "N0": 10, "N": 500}, "gives no finite number at 108,000,000 parameters"),
        (WARMUP, {"rule": "tokens", "at": 1, "D0": 1e-300, "D": 2}, "gives no finite number"),
        (BETA2, {"rule": "half_life", "at": 1, "N0": 1, "N": -500}, "gives no finite number"),
        (BATCH_SIZE, {"rule": "power", "at": 8, "N0": 1e10, "N": 200, "power_of_two": True}, "gives 0 examples"),
        (BATCH_SIZE, {"rule": "power", "at": 0.4}, "gives 0.4 examples"),
        (BATCH_SIZE, {"rule": "steplaw", "times": 1e308}, "gives inf examples"),
    ],
)
def test_a_rule_that_gives_no_usable_number_is_refused(setting, rule, says):
    with pytest.raises(SettingError, match=f"^{setting}=rule {rule['rule']}, which {says}"):
        rule_of(setting, rule).resolved(setting, AT)


@pytest.mark.parametrize(
    ("setting", "rule", "says"),
    [
        (LR, {"rule": "exponential"}, "optimizer.lr.rule=exponential: allowed is one of power, steplaw"),
        (LR, {"at": 0.1}, "optimizer.lr.rule=None"),
        (BETA2, {"rule": "steplaw"}, "optimizer.beta2.rule=steplaw: allowed is one of power, half_life, olmo_core"),
        (LR, {"rule": "power", "at": 1, "n": 1}, "optimizer.lr.n=1: allowed is for the rule power: .*at, N, N0"),
        (LR, {"rule": "power"}, "optimizer.lr.at=.not given.: allowed is a number above 0: the value at .* rule power"),
        (WARMUP, {"rule": "tokens", "N": 1}, "schedule.warmup.at=.not given.: .* which the rule tokens needs"),
        (BETA2, {"rule": "half_life"}, "optimizer.beta2.at=.not given.: .* which the rule half_life needs"),
        (LR, {"rule": "power", "at": -1}, "optimizer.lr.at=-1: allowed is a number above 0"),
        (LR, {"rule": "power", "at": 1, "count": "all"}, "optimizer.lr.count=all"),
        (LR, {"rule": "power", "at": 1, "power_of_two": True}, "optimizer.lr.power_of_two=True"),
        (BETA2, {"rule": "power", "at": 1, "times": [1, 2]}, "optimizer.beta2.times"),
    ],
)
def test_what_is_no_rule_is_refused_by_name(setting, rule, says):
    with pytest.raises(SettingError, match=says):
        rule_of(setting, rule)
