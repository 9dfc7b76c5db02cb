"""The methods of a results folder in prose, with every number that a reviewer asks for.

Everything said is of recorded runs and of the analysis that was made of them. What the records do not contain is said
to be not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from harness.analysis.fitting.laws import LAWS, NO_LAW
from harness.records.schema import STATUSES
from harness.report.analyze import Analysis
from harness.report.card.facts import FITTED
from harness.report.card.studies import (
    examples_per_step,
    family,
    joined,
    loss,
    range_of,
    settings_of,
    span,
    task,
    tried_rates,
    values,
)
from harness.report.data_tables import software
from harness.report.early_stops import early_stops, trained_steps
from harness.report.names import NOT_RECORDED, interval_kind, metric_name, size_name
from harness.report.surfaces import on_surfaces
from harness.report.tables import flops_in_words, verdict_counts
from harness.wording import confidence, counted, percent, plain

#: A hash, of which prose needs the beginning.
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b")

#: What is said of each study, or once where all have the same: a phrase, and what fills it in.
_HOW: dict[str, Callable[[pd.DataFrame], str]] = {
    "loss {}": loss,
    "optimizer {}": lambda part: _named(part, "optimizer", ("lr",)),
    "{}": lambda part: _rates(part),
    "schedule {}": lambda part: _named(part, "schedule"),
    "parametrization {}": lambda part: _named(part, "parametrization"),
    "precision {}": lambda part: joined(values(part, "precision")),
}


def describe(analysis: Analysis, not_known: Sequence[str] = ()) -> list[str]:
    """Paragraphs: the runs, each study, what was measured, the tests, the laws, the software, and what is not known.

    Args:
        not_known: items of the card that the records do not contain, as `Facts.not_known`.
    """
    runs = analysis.runs.assign(steps=trained_steps(analysis))
    shared = {phrase: text for phrase, of in _HOW.items() if (text := _of_all(runs, of))}
    own = [phrase for phrase in _HOW if phrase not in shared]
    told = "; ".join(phrase.format(text) for phrase, text in shared.items())
    unknown = f" The records do not contain, or not in full: {'; '.join(not_known)}." if not_known else ""
    return [
        f"{_runs(analysis)}{f' Of all of them: {told}.' if told else ''}",
        *(_study(study, part, own) for study, part in runs.groupby("study", sort=False)),
        " ".join(_measured(analysis)),
        " ".join(_tests(analysis)),
        " ".join(_laws(analysis)),
        " ".join(_software(runs)) + unknown,
    ]


def _of_all(runs: pd.DataFrame, of: Callable[[pd.DataFrame], str]) -> str:
    """What is said of every study alike; '' where it differs."""
    told = {of(part) for _, part in runs.groupby("study")}
    return told.pop() if len(told) == 1 else ""


def number_of_tests(jumps: pd.DataFrame) -> int:
    """Number of curves tested; a continuous metric that is paired with several discontinuous ones counts once."""
    continuous = jumps.drop_duplicates(["study", "task", "subtask", "continuous_metric"])
    return int(jumps["p_value"].notna().sum() + continuous["continuous_p_value"].notna().sum())


# ---------------------------------------------------------------------------------------------------------------- runs


def _runs(analysis: Analysis) -> str:
    runs = analysis.runs
    ended = [f"{n:,} {status}" for status in STATUSES if (n := int((runs["status"] == status).sum()))]
    stopped = f"; {told}" if (told := early_stops(analysis)) else ""
    lost = int((runs["status"] != "finished").sum())
    left_out = "; those that did not finish are in no curve, fit or test" if lost else ""
    cost = (
        f"their training took {flops_in_words(runs)} FLOPs in all"
        if runs["flops"].sum() > 0
        else f"their training FLOPs are {NOT_RECORDED}"
    )
    studies = "one study" if len(analysis.studies) == 1 else f"{len(analysis.studies)} studies"
    return f"We trained {counted(len(runs), 'run')} ({', '.join(ended)}{stopped}{left_out}) in {studies}; {cost}."


def _study(study: object, part: pd.DataFrame, own: Sequence[str]) -> str:
    """The runs of a study, and of `_HOW` the phrases that are not said of all studies."""
    total, body = range_of("params_total")(part), range_of("params_non_embedding")(part)
    seeds = part.groupby("rung")["seed"].nunique()
    told = [
        f"Study {study}: family {family(part)}, task {task(part)}",
        f"{counted(part['rung'].nunique(), 'size')}, of {total} parameters in all and {body} without embeddings and "
        f"readout, with {span(seeds, _whole)} {'seed' if seeds.max() == 1 else 'seeds'} each",
        f"{_counted(part, 'steps', 'steps')} of {examples_per_step(part)}, {range_of('tokens')(part)} tokens in all "
        "(examples, where a task has no tokens)",
        *(phrase.format(_HOW[phrase](part)) for phrase in own),
    ]
    return "; ".join(told) + "."


def _named(part: pd.DataFrame, group: str, without: tuple[str, ...] = ()) -> str:
    """The settings of a group in brackets after its kind: adamw (betas [0.9, 0.95], weight_decay 0.1)."""
    text = settings_of(group, without)(part)
    kinds = text.split(" or ")
    return " or ".join(
        f"{kind} ({rest})" if rest else kind for kind, _, rest in (each.partition(", ") for each in kinds)
    )


def _rates(part: pd.DataFrame) -> str:
    rates = tried_rates(part)
    if not rates:
        return f"learning rates that are {NOT_RECORDED}"
    if len(rates) == 1:
        return f"learning rate {plain(rates[0])}"
    return f"learning rates {', '.join(map(plain, rates))}, of which each size's best is analysed"


def _counted(part: pd.DataFrame, column: str, noun: str) -> str:
    known = part.loc[part[column] > 0, column]
    return f"{span(known, _whole)} {noun}" if len(known) else f"a number of {noun} that is {NOT_RECORDED}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


# ----------------------------------------------------------------------------------------------------------- analysis


def _measured(analysis: Analysis) -> Iterator[str]:
    frame = analysis.frame
    known = frame["n_eval"].dropna()
    items = (
        f"{span(known, _whole)} examples a metric and subtask"
        if len(known)
        else f"a number of examples that is {NOT_RECORDED}"
    )
    yield f"Every run was evaluated at its last step, on {items}."
    yield (
        f"Sizes are {size_name(analysis.x)} where thresholds are given; exponents are given under each of "
        f"{', '.join(map(size_name, analysis.conventions))}."
    )
    if analysis.left_out:
        yield f"Not analysed: {'; '.join(analysis.left_out)}."


def _tests(analysis: Analysis) -> Iterator[str]:
    jumps, level = analysis.jumps, confidence(analysis.level)
    if jumps.empty:
        yield "No curve of a discontinuous metric was tested for a jump."
        return
    metrics = ", ".join(dict.fromkeys(metric_name(str(metric)) for metric in jumps["metric"]))
    verdicts = verdict_counts(jumps, analysis.x)
    if number_of_tests(jumps):
        yield from _corrected_tests(analysis, metrics)
        yield f"Verdicts: {verdicts}. Intervals of thresholds are {level} posterior intervals, averaged over models."
    else:
        yield f"No curve of a discontinuous metric ({metrics}) could be tested for a jump. Verdicts: {verdicts}."
    if analysis.impossible:
        yield f"Not tested: {'; '.join(f'{study} ({why})' for study, why in analysis.impossible.items())}."


def _corrected_tests(analysis: Analysis, metrics: str) -> Iterator[str]:
    """How curves were tested and their p values corrected."""
    jumps, n_tests = analysis.jumps, number_of_tests(analysis.jumps)
    tested = "One curve" if len(jumps) == 1 else f"Each of {len(jumps):,} curves"
    yield (
        f"{tested} of discontinuous metrics ({metrics}) was tested for a jump: smooth curves were compared with smooth "
        "curves plus a jump by their Bayes factor, whose p value comes from simulated smooth curves of the same "
        "signal-to-noise ratio on the same ladder."
    )
    yield (
        f"The {n_tests:,} p values, those of the continuous metrics of the same outputs included, were corrected "
        f"together after Benjamini and Hochberg at a false discovery rate of {plain(analysis.alpha)}; a curve is said "
        f"to jump where its adjusted p value is below {plain(analysis.alpha)} and models with a jump are likelier than "
        "smooth ones."
    )


def _laws(analysis: Analysis) -> Iterator[str]:
    if analysis.laws.empty:
        yield "No law was fitted."
        return
    forms = " or ".join(f"{LAWS[law].formula} ({LAWS[law].source})" for law in FITTED)
    yield (
        f"The loss of each study was fitted by {forms}, whichever has the lower AICc, by least squares of ln loss with "
        f"all runs weighted equally; no exponent is given where the residuals exceed {percent(NO_LAW)} (root mean "
        f"square), which leaves {_n_exponents(analysis)}."
    )
    draws = f" of {analysis.bootstrap:,} draws" if analysis.interval == "bootstrap" else ""
    yield f"Their intervals are {confidence(analysis.level)} intervals {interval_kind(analysis.interval)}{draws}."
    if studies := ", ".join(study for study, _ in on_surfaces(analysis)):
        law = LAWS["hoffmann"]
        where = f"Where runs of one size differ in tokens ({studies})"
        yield f"{where}, {law.formula} ({law.source}) was fitted to N and D."


def _n_exponents(analysis: Analysis) -> str:
    given, asked = len(analysis.fits), len(analysis.laws)
    return f"{given} of {counted(asked, 'exponent')}"


def _software(runs: pd.DataFrame) -> Iterator[str]:
    versions: dict[str, set[str]] = {}
    for text in runs["versions"].unique():
        for name, version in software(text).items():
            versions.setdefault(name, set()).add(_begun(version))
    told = ", ".join(f"{name} {' or '.join(sorted(found))}" for name, found in sorted(versions.items()))
    yield f"Software: {told or NOT_RECORDED}."
    revisions = joined(_begun(text) for text in runs["git_revision"].dropna().unique())
    yield f"Revision of the code: {revisions}."
    devices = joined(value for value in runs["device"] if value != "unknown")
    hours = runs.drop_duplicates(["study", "rung", "duration", "wall_s"])["wall_s"].sum() / 3600
    yield f"Hardware: {devices}" + (
        f"; the jobs took {hours:.3g} hours in all." if np.isfinite(hours) and hours else "."
    )


def _begun(text: str) -> str:
    """The text, with the beginnings of the hashes in it."""
    return _HASH.sub(r"\1", text)
