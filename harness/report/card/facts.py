"""What the card states, whatever it is written as: items by section, tables of what was fitted, and what is not known.

Items that the records do not contain are marked "not recorded" and listed; nothing is guessed. Imported runs get the
same card, with more such items because few of their settings are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from harness.analysis.axis import Axis
from harness.analysis.fitting.estimator import FitStatus
from harness.analysis.fitting.guessing import ALPHA
from harness.analysis.fitting.laws import LAWS, NO_LAW
from harness.analysis.fitting.rolling import CUTS, rolling_extrapolation
from harness.analysis.fitting.selection import REFUSED
from harness.metrics import BITS_PER_BYTE
from harness.records.schema import STATUSES
from harness.report.analyze import Analysis
from harness.report.card.studies import (
    by_study,
    columns,
    criterion,
    data_of,
    examples_per_step,
    family,
    how_c,
    how_d,
    how_n,
    joined,
    learning_rates,
    loss,
    lr_choice,
    range_of,
    settings_of,
    shape,
    six_nd,
    span,
    starts,
    steps,
    task,
    tokens_per_parameter,
    values,
)
from harness.report.data_tables import data_in_words, steps_in_words
from harness.report.early_stops import early_stops
from harness.report.names import NOT_RECORDED, interval_kind, size_name
from harness.report.surfaces import fit_surfaces
from harness.report.tables import law_table
from harness.wording import confidence, count, percent, short

#: The source of the checklist.
CHECKLIST = 'Li et al. 2025, "(Mis)Fitting: A Survey of Scaling Laws"'
#: Laws that `analyze` fits to the loss in one variable.
FITTED = ("power", "power_floor")
#: The card names at most this many of the excluded runs; the report names all.
_NAMED = 20

Items = dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        title: a sentence that ends in a colon.
        rows: words; empty where there is nothing to show, and `title` says so.
        notes: a line each.
    """

    title: str
    rows: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """The card, before it is written.

    Attributes:
        name: of the experiments.
        sections: title -> item -> what is stated.
        results: tables of laws and surfaces.
    """

    name: str
    sections: Mapping[str, Items]
    results: tuple[Table, ...]

    @property
    def not_known(self) -> list[str]:
        """Items that the records do not contain, or not for every study."""
        stated = ((title, item, text) for title, items in self.sections.items() for item, text in items.items())
        return [f"{title}: {item}" for title, item, text in stated if NOT_RECORDED in text]


def gather_facts(analysis: Analysis) -> Facts:
    """The card of a results folder."""
    # Data are described by finished runs, because a run that ended early saw only part of its tokens.
    finished = analysis.runs[analysis.runs["status"] == "finished"]
    sections = {
        "Hypothesis": _hypothesis(analysis),
        "Data": _data(finished if len(finished) else analysis.runs),
        "Training setup": _training(analysis.runs),
        "Data extraction": _extraction(analysis),
        "Fitting": _fitting(analysis),
    }
    names = ", ".join(sorted(set(analysis.runs["experiment"].astype(str))))
    return Facts(names, sections, (_exponents(analysis), _surfaces(analysis)))


def _epochs(part: pd.DataFrame) -> str:
    known = part.dropna(subset=["epochs", "unique_examples"])
    if known.empty:
        return NOT_RECORDED
    unique, epochs = (span(known[name], form) for name, form in (("unique_examples", count), ("epochs", short)))
    return f"{epochs} epochs of {unique} examples"


def _hypothesis(analysis: Analysis) -> Items:
    forms = [f"`{LAWS[law].formula}` ({LAWS[law].source})" for law in FITTED]
    surface = LAWS["hoffmann"]
    return {
        "Form": f"{' or '.join(forms)}, whichever has the lower AICc",
        "Surface": f"`{surface.formula}` ({surface.source}), where runs of the same size differ in training tokens",
        "y": f"loss on the evaluation set, all subtasks together ({by_study(analysis.runs, criterion)})",
        "x": f"{', '.join(map(size_name, analysis.conventions))}; one law for each",
        "Studies": f"{len(analysis.studies)}, each fitted separately: {', '.join(analysis.studies)}",
    }


def _data(runs: pd.DataFrame) -> Items:
    durations = runs.groupby(["study", "rung"])["tokens"].transform("nunique")
    return {
        "Task": by_study(runs, task),
        "Source": by_study(runs, lambda part: data_in_words(part) or "made by the task"),
        **_of_data(runs),
        "Sizes": by_study(runs, lambda part: f"{part['rung'].nunique()}"),
        "Durations at a size": by_study(runs, lambda part: f"up to {durations[part.index].max()}"),
        "Seeds at a size": by_study(runs, lambda part: f"up to {part.groupby('rung')['seed'].nunique().max()}"),
        "Learning rates": by_study(runs, learning_rates),
        "N, total": by_study(runs, range_of("params_total")),
        "N, non-embedding": by_study(runs, range_of("params_non_embedding")),
        "D, tokens": by_study(runs, range_of("tokens")),
        "C, FLOPs": by_study(runs, range_of("flops")),
        "Tokens per parameter": by_study(runs, tokens_per_parameter),
        "How N is counted": by_study(runs, how_n),
        "How D is counted": by_study(runs, how_d),
        "How C is counted": by_study(runs, how_c),
        "C / (6 N D), N total": by_study(runs, six_nd),
        "Repeated data": by_study(runs, _epochs),
    }


def _of_data(runs: pd.DataFrame) -> Items:
    """What was made of the data; the records have the names of steps alone, the settings also what they were given."""
    prepared = steps("prepare")
    found = {"Preparation": lambda part: prepared(part) if data_of(part) else steps_in_words(part) or "none"}
    if data_of(runs):
        augmented = steps("augment")
        found["Columns"] = lambda part: columns(part) if data_of(part) else "none"
        found["Augmentation"] = lambda part: augmented(part) if data_of(part) else "none"
    return {item: by_study(runs, describe) for item, describe in found.items()}


def _training(runs: pd.DataFrame) -> Items:
    return {
        "Family": by_study(runs, family),
        "Width and depth": by_study(runs, shape),
        "Parametrization": by_study(runs, settings_of("parametrization")),
        "Loss": by_study(runs, loss),
        "Starts from": by_study(runs, starts),
        "Optimizer": by_study(runs, settings_of("optimizer", without=("lr",))),
        "Schedule": by_study(runs, settings_of("schedule")),
        "Batch size": by_study(runs, examples_per_step),
        "Precision": by_study(runs, lambda part: joined(values(part, "precision"))),
        "Device": by_study(runs, lambda part: joined(value for value in part["device"] if value != "unknown")),
        "Code": by_study(runs, lambda part: joined(f"git {value}" for value in part["git_revision"].dropna())),
        "Checkpoints": NOT_RECORDED,
    }


def _extraction(analysis: Analysis) -> Items:
    runs, frame = analysis.runs, analysis.frame
    ended = ", ".join(f"{n} {status}" for status in STATUSES if (n := int((runs["status"] == status).sum())))
    lost = runs[runs["status"] != "finished"]
    named = [
        f"{row['study']} {row['run_id']} ({row['status']}: {row['error'] or NOT_RECORDED})"
        for row in lost.head(_NAMED).to_dict("records")
    ]
    more = [f"and {len(lost) - _NAMED} more, which report.html names"] if len(lost) > _NAMED else []
    loss = frame[(frame["metric"] == "loss") & (frame["subtask"] == "all")]
    n_eval = [f"{int(n):,}" for n in sorted(set(loss["n_eval"].dropna()))]
    return {
        "Step": "the last evaluation of each run; earlier ones are not used",
        "Runs": "; ".join(filter(None, [f"{len(runs)}: {ended}", early_stops(analysis)])),
        "Left out, did not finish": "; ".join(named + more) or "none",
        "Left out, other runs of the folder": "; ".join(analysis.left_out) or "none",
        "Choice of learning rate": by_study(runs, lambda part: lr_choice(part, frame)),
        "Choice of duration": "the longest of the study; the surface uses all of them",
        "Runs behind the laws": by_study(
            runs, lambda part: f"{loss.loc[loss['study'] == part['study'].iloc[0], 'run_id'].nunique()}"
        ),
        "Evaluation set, examples": " or ".join(n_eval) or NOT_RECORDED,
        **_bits_per_byte(analysis),
    }


def _bits_per_byte(analysis: Analysis) -> Items:
    """Of text, by which losses over different vocabularies compare; nothing where it was not measured."""
    frame, x = analysis.frame, analysis.conventions[0]
    measured = frame[(frame["metric"] == BITS_PER_BYTE.name) & (frame["subtask"] == "all")]
    if measured.empty:
        return {}

    def ends(part: pd.DataFrame) -> str:
        means = measured[measured["study"] == part["study"].iloc[0]].groupby(x)["value"].mean()
        return f"{means.iloc[0]:.3g} to {means.iloc[-1]:.3g}" if len(means) else "not measured"

    return {f"Bits per byte, mean over runs, from the fewest to the most {size_name(x)}": by_study(analysis.runs, ends)}


def _fitting(analysis: Analysis) -> Items:
    fits = list(analysis.fits.values())
    kinds = {
        "profile": "profile likelihood, Student's t for the noise",
        "bootstrap": f"bootstrap of runs, {analysis.bootstrap:,} draws",
        "delta": "delta method",
    }
    used = " or ".join(sorted({kinds[fit.interval_] for fit in fits}))
    failed = sum(fit.n_failed_refits_ for fit in fits)
    resampled = any(fit.interval_ == "bootstrap" for fit in fits)
    starts = sorted({LAWS[law].n_starts for law in (*FITTED, "hoffmann")})
    return {
        "Objective": "sum of squares of ln loss",
        "Weighting": "all runs equally",
        "Solver": "Newton's method with bounds and exact derivatives, to convergence",
        "Starts": f"the {' or '.join(map(str, starts))} most promising points of a grid, each followed to convergence",
        "Intervals": f"{confidence(analysis.level)}, {used}" if used else "none: no law describes the runs",
        "Failed refits": f"{failed}" if resampled else "none: nothing is resampled",
        "Choice of law": f"by AICc; the other law is refused where its AICc is higher by more than {REFUSED:g}",
        "Loss at chance": _at_chance(analysis),
        "No law": f"no exponent is given where residuals of ln loss exceed {percent(NO_LAW)} (root mean square)",
        "Extrapolation": by_study(analysis.runs, lambda part: _extrapolation_error(analysis, part["study"].iloc[0])),
    }


def _at_chance(analysis: Analysis) -> str:
    laws = analysis.laws
    studies = sorted(set(laws.loc[laws["status"] == str(FitStatus.NOTHING_LEARNT), "study"].map(str)))
    rule = f"no law where no size is below it by more than noise (one-sided t test, {100 * ALPHA:g} %)"
    return f"{rule}: {', '.join(studies) or 'in no study'}"


def _extrapolation_error(analysis: Analysis, study: str) -> str:
    """Error of the law chosen for total parameters (or data) on the larger sizes, fitted to the smaller ones alone."""
    fit = analysis.fits.get((study, analysis.conventions[0]))
    if fit is None:
        return "no law describes the runs"
    frame = analysis.frame
    loss = frame[(frame["study"] == study) & (frame["metric"] == "loss") & (frame["subtask"] == "all")]
    table = rolling_extrapolation(loss[analysis.conventions[0]], loss["value"], loss["run"], law=fit.law_.name)
    if table.empty:
        return f"too few {Axis.of(analysis.conventions[0]).places} to hold out the largest {100 - 100 * CUTS[0]:.0f} %"
    error, reach = percent(float(table["error"].abs().median())), f"{table['reach'].max():.2g}"
    return f"median error {error} on sizes up to {reach} x those fitted, in {size_name(analysis.conventions[0])}"


def _exponents(analysis: Analysis) -> Table:
    laws = law_table(analysis.laws)
    status = analysis.laws.groupby("study")["status"].agg(lambda values: ", ".join(dict.fromkeys(values)))
    laws.insert(len(laws.columns) - 2, "status", laws["study"].map(status))
    kind = f"{confidence(analysis.level)} intervals {interval_kind(analysis.interval)}"
    return Table(f"Exponents of the loss, {kind}:", laws)


def _surfaces(analysis: Analysis) -> Table:
    if not (rows := fit_surfaces(analysis)):
        none = "No surface over N and D: in every study, runs of the same size saw the same number of tokens."
        return Table(none, pd.DataFrame())
    title = f"Surfaces over N and D (least squares), with N_opt ∝ C^a, {confidence(analysis.level)} intervals:"
    notes = tuple(f"{row['study']}, {row['N']}: {row['message']}" for row in rows if row["message"])
    return Table(title, pd.DataFrame(rows).drop(columns="message"), notes)
