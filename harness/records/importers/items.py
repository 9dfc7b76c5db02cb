"""How many items stand behind a share, from the share and its standard error.

lm-eval's standard error of a mean over n items is their sample standard deviation over the root of n. Where each item
is 0 or 1 and their mean is p, it is sqrt(p (1 - p) / (n - 1)), so that

    n = p (1 - p) / stderr^2 + 1.

Both numbers are rounded where they were written with few decimals; n then lies between bounds. All shares of one
evaluation, and all evaluations of one task asked in one way, are of the same items unless their bounds exclude it: the
n in the midst of what they leave is taken, for a share of 0 or 1, whose standard error is 0, too. Means of other
things than 0 and 1 give themselves away, for written in full their n is no whole number.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.benchmarks import is_share_of_items
from harness.records.importers.found import FoundRun, Number

#: The least and the greatest number of items that a share and its standard error allow.
Bounds = tuple[float, float]
#: Relative error of a number written in full, with margin for the tool's own arithmetic in double precision.
_IN_FULL = 1e-9
#: The widest bounds, relative to n, of which the middle is still worth stating: noise then is known to 5 %.
_WIDEST = 0.1


@dataclass(frozen=True)
class Derived:
    """What `with_items` found out.

    Attributes:
        runs: with `n_eval` in their numbers.
        from_errors: tasks of which n_eval was derived from standard errors -> its largest error, relative to n, that
            rounding of these leaves.
        from_others: numbers whose n_eval is that of the same task elsewhere, their own standard error being 0.
        unknown: tasks with shares and standard errors, and yet without an n_eval in some of their numbers.
    """

    runs: list[FoundRun]
    from_errors: dict[str, float]
    from_others: int
    unknown: frozenset[str]


def with_items(runs: Sequence[FoundRun]) -> Derived:
    """The runs with the number of items behind each number, where it follows from shares and standard errors.

    Numbers whose file states n_eval keep it.
    """
    evaluations = [_evaluations(run) for run in runs]
    own = [{key: _common(map(_bounds, shares)) for key, shares in each.items()} for each in evaluations]
    of_task: dict[tuple[str, str], list[Bounds | None]] = defaultdict(list)
    for each in own:
        for (task, subtask, _), bounds in each.items():
            of_task[task, subtask].append(bounds)
    everywhere = {key: _common(several) for key, several in of_task.items()}
    filled = []
    from_errors: dict[str, float] = {}
    from_others, unknown = 0, set()
    for run, each in zip(runs, own, strict=True):
        best = {key: everywhere[key[:2]] or bounds for key, bounds in each.items()}
        whole = {key: _whole(bounds) for key, bounds in best.items()}
        numbers = []
        for number in run.numbers:
            key = (number.task, number.subtask, number.step)
            if number.n_eval is None and key in whole:
                n, bounds = whole[key], best[key]
                number = dataclasses.replace(number, n_eval=n)
                if n is None or bounds is None:
                    unknown.add(number.task)
                elif each[key]:
                    from_errors[number.task] = max(from_errors.get(number.task, 0.0), _error(bounds, n))
                else:
                    from_others += 1
            numbers.append(number)
        filled.append(dataclasses.replace(run, numbers=numbers))
    return Derived(filled, from_errors, from_others, frozenset(unknown))


def _evaluations(run: FoundRun) -> dict[tuple[str, str, int | None], list[Number]]:
    """(task, subtask, step) -> its shares with a standard error."""
    found: dict[tuple[str, str, int | None], list[Number]] = defaultdict(list)
    for number in run.numbers:
        if number.task and number.stderr is not None and is_share_of_items(number.metric) and 0 <= number.value <= 1:
            found[number.task, number.subtask, number.step].append(number)
    return found


def _bounds(number: Number) -> Bounds | None:
    """The least and greatest n that a share and its standard error, as written, allow; None where they say nothing."""
    if number.n_eval is not None:
        return float(number.n_eval), float(number.n_eval)
    share, error = number.value, number.stderr
    if not error or not 0 < share < 1:
        return None
    in_full = share * (1 - share) / error**2 + 1
    n = round(in_full)
    # Both are whole only where nothing was rounded, and each item was 0 or 1.
    if abs(in_full - n) <= _IN_FULL * n and abs(share * n - round(share * n)) <= _IN_FULL * n:
        return float(n), float(n)
    half = _rounding(share, error)
    of_share, of_error = max(half, _IN_FULL * share), max(half, _IN_FULL * error)
    if of_error >= error:
        return None
    shares = [min(max(share + sign * of_share, 0.0), 1.0) for sign in (-1, 0, 1)]
    spreads = [each * (1 - each) for each in shares]
    if shares[0] < 0.5 < shares[-1]:
        spreads.append(0.25)
    least = min(spreads) / (error + of_error) ** 2 + 1
    return least, max(spreads) / (error - of_error) ** 2 + 1


def _rounding(*values: float) -> float:
    """Half a unit of the last decimal of numbers that were written with equally many; trailing zeros may be lost."""
    exponents = [Decimal(repr(float(value))).as_tuple().exponent for value in values]
    return 0.5 * 10.0 ** min(exponent for exponent in exponents if isinstance(exponent, int))


def _common(several: Iterable[Bounds | None]) -> Bounds | None:
    """What all these bounds allow; None where there are none or they exclude each other."""
    known = [bounds for bounds in several if bounds]
    if not known:
        return None
    least, greatest = max(low for low, _ in known), min(high for _, high in known)
    return (least, greatest) if least <= greatest else None


def _error(bounds: Bounds, n: int) -> float:
    """How far from n the bounds allow a whole number to lie, relative to n."""
    return max(n - math.ceil(bounds[0]), math.floor(bounds[1]) - n) / n


def _whole(bounds: Bounds | None) -> int | None:
    """The whole number in the midst of bounds; None where they hold none or are too wide to say much."""
    if bounds is None:
        return None
    least, greatest = bounds
    middle = round((least + greatest) / 2)
    if math.ceil(least) > math.floor(greatest) or greatest - least > _WIDEST * middle:
        return None
    return min(max(middle, math.ceil(least)), math.floor(greatest))
