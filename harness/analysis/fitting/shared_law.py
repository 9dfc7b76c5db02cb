"""One law of several groups of runs, some of whose parameters all groups share: a law like any other, to be solved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.analysis.fitting.laws.base import Law
from harness.errors import SettingError, nearest


class SharedLaw(Law):
    """The law `member` of each of several groups, with some parameters in common.

    Its last variable is the number of the group, from 1 on. theta = (shared coordinates, free ones of group 1, of group
    2, ...), and parameters are named like 'alpha' and 'E[web]'. All groups have one centre and one unit, so that
    an amplitude can be shared as an exponent can.

    Args:
        member: the law of one group.
        groups: labels of the groups, two or more, in the order of their numbers.
        shared: names of the parameters that all groups have in common; none makes it as many separate laws.
        by: what the groups are, for messages.

    Raises:
        SettingError: a parameter that the law does not have, or that follows from one which is not shared.
    """

    def __init__(self, member: Law, groups: Sequence[str], shared: Sequence[str], by: str = "group") -> None:
        self.member, self.groups, self.shared = member, tuple(groups), tuple(shared)
        check_shared(member, self.shared)
        free = [i for i, name in enumerate(member.parameters) if name not in self.shared]
        together = [i for i, name in enumerate(member.parameters) if name in self.shared]
        self._index = np.empty((len(self.groups), len(member.parameters)), dtype=int)
        self._index[:, together] = np.arange(len(together))
        self._index[:, free] = len(together) + np.arange(len(self.groups) * len(free)).reshape(len(self.groups), -1)
        # Where each coordinate and parameter is found: the group, and its place in the member.
        self._home = [(0, i) for i in together] + [(k, i) for k in range(len(self.groups)) for i in free]
        self.name, self.formula = member.name, member.formula
        self.variables, self._by = (*member.variables, by), by
        self.scale, self.x_scale, self.curves_as_y = member.scale, member.x_scale, member.curves_as_y
        self.parameters = tuple(self.name_of(k, i) for k, i in self._home)
        self.log_parameters = self._of_all(member.log_parameters)
        chosen = self._of_all(member.exponents)
        self.exponents = tuple(name for name in self.parameters if name in chosen)
        self.widest = {
            self.name_of(k, member.parameters.index(name)): most
            for k in range(len(self.groups))
            for name, most in member.widest.items()
        }
        self.n_starts = member.n_starts

    def name_of(self, group: int, index: int) -> str:
        """What the member's parameter `index` is called in group number `group`, from 0."""
        name = self.member.parameters[index]
        return name if name in self.shared else f"{name}[{self.groups[group]}]"

    def coordinates_of(self, group: int) -> np.ndarray:
        """(p,) where the coordinates, and parameters, of group number `group`, from 0, are among all."""
        return self._index[group]

    def _of_all(self, names: Sequence[str] | frozenset[str]) -> frozenset[str]:
        member = self.member.parameters
        return frozenset(
            self.name_of(k, i) for k in range(len(self.groups)) for i, n in enumerate(member) if n in names
        )

    # ------------------------------------------------------------------------ each point as a fit of its group's law

    def _spread(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places (b n, d, 1) and coordinates (b n, p) of each point, and the group (b, n) of each."""
        b, n = len(theta), t.shape[-1]
        group = np.broadcast_to(self._group(t), (b, n))
        places = np.moveaxis(np.broadcast_to(t[..., :-1, :], (b, t.shape[-2] - 1, n)), 1, 2)
        own = theta[np.arange(b)[:, None, None], self._index[group]]
        return places.reshape(b * n, -1, 1), own.reshape(b * n, -1), group

    def _group(self, t: np.ndarray) -> np.ndarray:
        """(n,) or (b, n) group of each point, from 0."""
        return np.clip(np.rint(t[..., -1, :]).astype(int), 0, len(self.groups) - 1)

    def value(self, t: np.ndarray, theta: np.ndarray) -> np.ndarray:
        places, own, group = self._spread(t, theta)
        return self.member.value(places, own).reshape(group.shape)

    def gradient(self, t: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places, own, group = self._spread(t, theta)
        value, along = self.member.gradient(places, own)
        slopes = np.zeros((*theta.shape, t.shape[-1]))
        fit, point = np.arange(len(theta))[:, None, None], np.arange(t.shape[-1])[None, :, None]
        slopes[fit, self._index[group], point] = along.reshape(*group.shape, -1)
        return value.reshape(group.shape), slopes

    def curvature(self, t: np.ndarray, theta: np.ndarray, weight: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        places, own, group = self._spread(t, theta)
        fit, point = np.arange(len(theta))[:, None, None], np.arange(t.shape[-1])[None, :, None]
        along = slopes[fit, self._index[group], point].reshape(*own.shape, 1)
        each = self.member.curvature(places, own, np.broadcast_to(weight, group.shape).reshape(-1, 1), along)
        each = each.reshape(*group.shape, *each.shape[1:])
        matrix = np.zeros((len(theta), theta.shape[1], theta.shape[1]))
        for k, where in enumerate(self._index):
            matrix[:, where[:, None], where] += np.einsum("bnpq,bn->bpq", each, group == k)
        return matrix

    # --------------------------------------------------------------------------------------------- bounds and starts

    def _parts(self, t: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The places of each group, and which points (n,) they are; groups are the same in all fits of a batch."""
        group = self._group(t if t.ndim == 2 else t[0])
        return [(t[..., :-1, group == k], group == k) for k in range(len(self.groups))]

    def limits(self, t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shape = (len(y), len(self.parameters))
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        for where, (places, which) in zip(self._index, self._parts(t), strict=True):
            if not which.any():
                places, which = t[..., :-1, :], np.ones_like(which)
            least, most = self.member.limits(places, y[:, which])
            low[:, where], high[:, where] = np.minimum(low[:, where], least), np.maximum(high[:, where], most)
        return low, high

    def starts(self, t: np.ndarray, y: np.ndarray, weight: np.ndarray, keep: int) -> np.ndarray:
        """Half of them starts of each group by itself, shared coordinates at their mean; half those of all runs."""
        half = max(1, keep // 2)
        theta = np.zeros((len(y), half, len(self.parameters)))
        share = np.zeros(len(self.parameters))
        for where, (places, which) in zip(self._index, self._parts(t), strict=True):
            found = self.member.starts(places, y[:, which], weight[:, which], half)
            theta[..., where] += found[:, np.minimum(np.arange(half), found.shape[1] - 1)]
            share[where] += 1
        pooled = self.member.starts(t[..., :-1, :], y, weight, half)
        everywhere = np.empty((*pooled.shape[:2], len(self.parameters)))
        for where in self._index:
            everywhere[..., where] = pooled
        return np.concatenate([theta / share, everywhere], axis=1)

    # ---------------------------------------------------------------------------------------- what people quote

    def public(self, theta: np.ndarray, centre: np.ndarray, unit: float | np.ndarray) -> np.ndarray:
        of_group = [self.member.public(theta[..., where], centre[:-1], unit) for where in self._index]
        return np.stack([of_group[k][..., i] for k, i in self._home], axis=-1)

    def bound_message(self, coordinate: int, side: Literal["low", "high"]) -> str:
        group, index = self._home[coordinate]
        message = self.member.bound_message(index, side)
        shared = self.member.parameters[index] in self.shared
        return message if shared or not message else f"{self.groups[group]}: {message}"

    @property
    def measured(self) -> tuple[str, ...]:
        return self.member.measured

    @property
    def centred(self) -> bool:
        return self.member.centred

    def centre(self, places: np.ndarray) -> np.ndarray:
        return np.append(self.member.centre(places[:, :-1]), 1.0)

    def unit(self, y: np.ndarray) -> float:
        return self.member.unit(y)

    def coordinates(self, places: np.ndarray, centre: np.ndarray) -> np.ndarray:
        return np.vstack([self.member.coordinates(places[:, :-1], centre[:-1]), places[:, -1] - 1])


def check_shared(member: Law, shared: Sequence[str], setting: str = "share") -> None:
    """Raises SettingError for a parameter that the law does not have, or cannot share without another one.

    A power's amplitude, say, is the value that the power has at x = 1, which follows from the exponent as well.
    """
    theta = np.full((1, len(member.parameters)), 0.37)  # a generic place, centre and unit: what follows, follows there
    centre, unit = np.full(len(member.variables), 2.3), 1.7
    base = member.public(theta, centre, unit)[0]
    for name in shared:
        if name not in member.parameters:
            allowed = f"some of {', '.join(member.parameters)}{nearest(name, member.parameters)}"
            raise SettingError(setting, name, allowed)
        index = member.parameters.index(name)
        for j, other in enumerate(member.parameters):
            moved = theta.copy()
            moved[0, j] *= 1.001
            change = abs(member.public(moved, centre, unit)[0, index] - base[index])
            if other not in shared and change > 1e-9 * abs(base[index]):
                raise SettingError(setting, name, f"{name} together with {other}, from which its scale follows")
