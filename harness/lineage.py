"""Which run each member of a study starts from. Pure: where runs lie and what they hold is not known here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import SettingError
from harness.families.base import Shape
from harness.wording import listed


@dataclass(frozen=True)
class Parent:
    """A run whose checkpoint another one starts from, or weights from elsewhere.

    Attributes:
        run_id: of the run; of weights from elsewhere, the first 16 digits of the SHA-256 of their content.
        results: the results folder that holds the run; of weights from elsewhere, the folder of their files.
        step: the step of the checkpoint; None for its last.
        trained: whether it is a run of the harness.
    """

    run_id: str
    results: Path
    step: int | None = None
    trained: bool = True

    @property
    def identity(self) -> dict[str, Any]:
        """What it adds to the identity of a run that starts from it."""
        return {"run": self.run_id} | ({} if self.step is None else {"step": self.step})


@dataclass(frozen=True)
class Parents:
    """The runs that the members of a study start from, each rung from its own size, each seed from the same seed.

    Attributes:
        asked: what `init_from` said.
        n_outputs: outputs of the parents' models.
        by_place: shape and seed -> the run; a seed of None stands for every seed.
        unusable: shape and seed -> what is wrong with the run that is there.
    """

    asked: str
    n_outputs: int
    by_place: Mapping[tuple[Shape, int | None], Parent]
    unusable: Mapping[tuple[Shape, int | None], str] = field(default_factory=dict)

    def of(self, shape: Shape, seed: int) -> Parent:
        """The run that one member starts from.

        Raises:
            SettingError: there is none of its size, or none of its seed, or it cannot be started from.
        """
        for place in ((shape, seed), (shape, None)):
            if (found := self.by_place.get(place)) is not None:
                return found
        if (problem := self.unusable.get((shape, seed))) is not None:
            raise self._lacking(f"one with a checkpoint of {in_words(shape)}, seed {seed}: {problem}")
        known = [*self.by_place, *self.unusable]
        if seeds := [its for of, its in known if of == shape and its is not None]:
            has = f"its seeds at {in_words(shape)} are {listed_numbers(seeds)}"
            raise self._lacking(f"one that has seed {seed} too; {has}")
        has = listed([f"({in_words(each)})" for each in dict.fromkeys(of for of, _ in known)]) or "no run"
        raise self._lacking(f"one that has every size of the ladder, {in_words(shape)} too; it has {has}")

    def _lacking(self, allowed: str) -> SettingError:
        return SettingError("init_from", self.asked, allowed)

    def only(self, places: Iterable[tuple[Shape, int]]) -> Parents:
        """Those of some members, as a job of them needs."""
        return replace(self, by_place={place: self.of(*place) for place in places}, unusable={})


def in_words(shape: Shape) -> str:
    """A size, in words."""
    heads = f", {shape.heads} heads" if shape.heads > 1 else ""
    return f"width {shape.width}, depth {shape.depth}{heads}"


def listed_numbers(values: Iterable[int]) -> str:
    """Whole numbers in order, a row of them by its ends."""
    found = sorted(set(values))
    if len(found) > 2 and found[-1] - found[0] == len(found) - 1:
        return f"{found[0]} to {found[-1]}"
    return ", ".join(map(str, found))
