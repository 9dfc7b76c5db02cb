"""``harness cite [RESULTS] [--style bibtex|apa]``: how to cite the harness, and the papers of the methods used.

The references are those of CITATION.cff. Of a results folder only those are given whose method its runs or their
analysis used, each with what it was used for.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.errors import UserError

#: In a wheel it lies inside the package, in a checkout beside it.
_PLACES = Path(__file__).parents[1:3]
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})(?:; )?")
_JOURNAL = re.compile(r"(?P<journal>\D+) (?P<volume>\d+)\((?P<number>\d+)\)(?:; )?")


@dataclass(frozen=True)
class Used:
    """What the runs of a results folder, and their analysis, used.

    Attributes:
        tasks, settings: names of tasks, and ``group=kind`` of settings: ``optimizer=adamw``, ``positions=rotary``.
        laws, verdicts: whether laws were fitted, and curves tested.
        interval: kind of the laws' intervals.
    """

    tasks: frozenset[str]
    settings: frozenset[str]
    laws: bool
    verdicts: bool
    interval: str


#: First author and year -> whether a results folder used the method. Those that are not here belong to verbs on tables.
USES: dict[str, Callable[[Used], bool]] = {
    "hestness2017": lambda used: used.laws,
    "kaplan2020": lambda used: used.laws,
    "henighan2020": lambda used: used.laws,
    "hoffmann2022": lambda used: used.laws,
    "golub1973": lambda used: used.laws,
    "venzon1988": lambda used: used.laws and used.interval == "profile",
    "li2025": lambda used: used.laws,
    "schaeffer2023": lambda used: used.verdicts,
    "wei2022": lambda used: used.verdicts,
    "benjamini1995": lambda used: used.verdicts,
    "yang2022": lambda used: "parametrization=mup" in used.settings,
    "su2021": lambda used: "positions=rotary" in used.settings,
    "loshchilov2019": lambda used: "optimizer=adamw" in used.settings,
    "kingma2015": lambda used: "optimizer=adam" in used.settings,
    "chen2020": lambda used: "loss=contrastive" in used.settings,
    "hu2024": lambda used: "schedule=wsd" in used.settings,
    "michaud2023": lambda used: "parity" in used.tasks,
    "olsson2022": lambda used: "induction" in used.tasks,
    "power2022": lambda used: "modular_addition" in used.tasks,
}


@dataclass(frozen=True)
class Reference:
    """A paper.

    Attributes:
        authors: (family name, given names) of each; ("", NAME) for one that is no person.
        more: whether further authors are not named.
        published: BibTeX fields of where.
        about: what it is cited for, '' where the title says it.
    """

    title: str
    authors: tuple[tuple[str, str], ...]
    more: bool
    year: int
    published: Mapping[str, str]
    about: str

    @property
    def short_key(self) -> str:
        """First author and year: hoffmann2022."""
        return f"{re.sub(r'[^a-z]', '', self.authors[0][0].lower())}{self.year}"

    @property
    def key(self) -> str:
        """With the first word of the title, as bibliographies have it: hoffmann2022training."""
        first = next(word for word in re.findall(r"[a-z]+", self.title.lower()) if word not in ("a", "an", "the", "on"))
        return f"{self.short_key}{first}"

    def bibtex(self) -> str:
        """An entry."""
        authors = " and ".join([f"{family}, {given}" for family, given in self.authors] + ["others"] * self.more)
        fields = {"title": f"{{{self.title}}}", "author": authors, "year": str(self.year), **self.published}
        comment = f"% {self.about}\n" if self.about else ""
        return comment + _entry("article", self.key, fields)

    def apa(self) -> str:
        """A line."""
        names = [f"{family}, {_initials(given)}" for family, given in self.authors]
        told = ", ".join([*names, "et al."]) if self.more else _listed(names)
        at = {"journal": "", "volume": "", "number": "", **self.published}
        where = f"{at['journal']}, {at['volume']}({at['number']})" if at["volume"] else at["journal"]
        title = self.title if self.title.endswith("?") else f"{self.title}."
        return f"{told} ({self.year}). {title} {where}.".removesuffix(" .")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print how to cite; 0.

    Raises:
        UserError: as `used_by`.
    """
    cff = read_citation()
    references = [_reference(content) for content in cff["references"]]
    if arguments.results:
        used = used_by(arguments.results)
        references = [each for each in references if each.short_key in USES and USES[each.short_key](used)]
    software = _software_bibtex(cff) if arguments.style == "bibtex" else _software_apa(cff)
    for text in [software, *(each.bibtex() if arguments.style == "bibtex" else each.apa() for each in references)]:
        console.print(f"{text}\n", markup=False, highlight=False, soft_wrap=True)
    return 0


def read_citation() -> dict[str, Any]:
    """CITATION.cff."""
    import yaml

    for folder in _PLACES:
        if (path := folder / "CITATION.cff").exists():
            content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
            return content
    raise UserError(f"CITATION.cff: is not beside {_PLACES[0]}; install the package anew")


def used_by(results: str) -> Used:
    """What a results folder used, by its runs table and what `analyze` has left there.

    Raises:
        DataError: no such results folder, or one that cannot be used.
    """
    from harness.records.folders import find_folder
    from harness.records.run_settings import parse_config
    from harness.records.store import load_runs

    folder = find_folder(results)
    runs = load_runs(folder)
    configs = [parse_config(text) for text in runs["config"].unique()]
    kinds = {
        f"{group}={config[group].get('kind')}"
        for config in configs
        for group in ("optimizer", "schedule", "parametrization", "loss")
        if isinstance(config.get(group), dict)
    }
    families = [config["family"] for config in configs if isinstance(config.get("family"), dict)]
    positions = {f"positions={family.get('positions')}" for family in families}
    return Used(
        tasks=frozenset(runs["task"].astype(str)),
        settings=frozenset(kinds | positions),
        laws=_has_rows(folder / "laws.csv"),
        verdicts=_has_rows(folder / "verdicts.csv"),
        interval=_interval(folder / "analysis.json"),
    )


def _has_rows(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as lines:
            return len([line for _, line in zip(range(2), lines, strict=False)]) == 2
    except OSError:
        return False


def _interval(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["interval"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _reference(content: Mapping[str, Any]) -> Reference:
    named = [author for author in content["authors"] if "family-names" in author]
    notes = str(content.get("notes", ""))
    published, about = {}, notes
    if arxiv := _ARXIV.match(notes):
        published = {"journal": f"arXiv:{arxiv[1]}", "eprint": arxiv[1], "archiveprefix": "arXiv"}
        about = notes[arxiv.end() :]
    elif journal := _JOURNAL.match(notes):
        published, about = journal.groupdict(), notes[journal.end() :]
    return Reference(
        title=str(content["title"]),
        authors=tuple((author["family-names"], author["given-names"]) for author in named),
        more=len(named) < len(content["authors"]),
        year=int(content["year"]),
        published=published,
        about=about,
    )


def _software_bibtex(cff: Mapping[str, Any]) -> str:
    names = " and ".join(f"{{{author['name']}}}" for author in cff["authors"])
    fields = {"title": f"{{{cff['title']}}}", "author": names, "year": _year(cff), "version": str(cff["version"])}
    return _entry("software", f"scaling_harness_{str(cff['version']).replace('.', '_')}", fields)


def _software_apa(cff: Mapping[str, Any]) -> str:
    names = ", ".join(str(author["name"]) for author in cff["authors"])
    return f"{names} ({_year(cff)}). {cff['title']} (Version {cff['version']}) [Computer software]."


def _year(cff: Mapping[str, Any]) -> str:
    return str(cff["date-released"])[:4]


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{_escaped(value)}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _escaped(text: str) -> str:
    return re.sub(r"([&%#_$])", r"\\\1", text)


def _initials(given: str) -> str:
    return " ".join(f"{word[0]}." for word in re.split(r"[\s.]+", given) if word)


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)}, & {last}" if most else last
