"""The card: the checklist of Li et al. 2025, "(Mis)Fitting: A Survey of Scaling Laws", filled in from the records.

Items that the records do not contain are marked "not recorded" and listed at the end; nothing is guessed. Imported runs
get the same card, with more such items because few of their settings are known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from harness.analysis.fitting.estimator import FitStatus
from harness.analysis.fitting.guessing import ALPHA
from harness.analysis.fitting.laws import LAWS, NO_LAW
from harness.analysis.fitting.rolling import CUTS, rolling_extrapolation
from harness.analysis.fitting.selection import REFUSED
from harness.records.schema import STATUSES
from harness.report.analyze import CONVENTIONS, Analysis
from harness.report.names import NOT_RECORDED, interval_kind, size_name
from harness.report.surfaces import fit_surfaces
from harness.report.tables import law_table
from harness.wording import confidence, count, percent, short

#: Laws that `analyze` fits to the loss in one variable.
_FITTED = ("power", "power_floor")
#: The card names at most this many of the excluded runs; the report names all.
_NAMED = 20

Items = dict[str, str]


def card(analysis: Analysis) -> str:
    """The card of a results folder, in Markdown."""
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
    lines = [
        f"# Scaling-law card: {_one_line(names)}",
        "",
        'The checklist of Li et al. 2025, "(Mis)Fitting: A Survey of Scaling Laws", filled in from the records of this '
        f"folder. Items that the records do not contain are marked *{NOT_RECORDED}*.",
    ]
    for title, items in sections.items():
        lines += ["", f"## {title}", "", *_listed(items)]
    lines += ["", "## Results", "", *_results(analysis), "", "## Not known", "", *_not_known(sections)]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------------------------------------------- sections


def _hypothesis(analysis: Analysis) -> Items:
    forms = [f"`{LAWS[law].formula}` ({LAWS[law].source})" for law in _FITTED]
    surface = LAWS["hoffmann"]
    return {
        "Form": f"{' or '.join(forms)}, whichever has the lower AICc",
        "Surface": f"`{surface.formula}` ({surface.source}), where runs of the same size differ in training tokens",
        "y": "loss on the evaluation set, all subtasks together (nats per scored token, for runs of this harness)",
        "x": f"{', '.join(map(size_name, CONVENTIONS))}; one law for each",
        "Studies": f"{len(analysis.studies)}, each fitted separately: {', '.join(analysis.studies)}",
    }


def _data(runs: pd.DataFrame) -> Items:
    durations = runs.groupby(["study", "rung"])["tokens"].transform("nunique")
    return {
        "Task": _by_study(runs, _task),
        "Sizes": _by_study(runs, lambda part: f"{part['rung'].nunique()}"),
        "Durations at a size": _by_study(runs, lambda part: f"up to {durations[part.index].max()}"),
        "Seeds at a size": _by_study(runs, lambda part: f"up to {part.groupby('rung')['seed'].nunique().max()}"),
        "Learning rates": _by_study(runs, _learning_rates),
        "N, total": _by_study(runs, _range_of("params_total")),
        "N, non-embedding": _by_study(runs, _range_of("params_non_embedding")),
        "D, tokens": _by_study(runs, _range_of("tokens")),
        "C, FLOPs": _by_study(runs, _range_of("flops")),
        "Tokens per parameter": _by_study(runs, _tokens_per_parameter),
        "How N is counted": _by_study(runs, _how_n),
        "How D is counted": _by_study(runs, _how_d),
        "How C is counted": _by_study(runs, _how_c),
        "C / (6 N D), N total": _by_study(runs, _six_nd),
        "Repeated data": NOT_RECORDED,
    }


def _training(runs: pd.DataFrame) -> Items:
    return {
        "Family": _by_study(runs, _family),
        "Width and depth": _by_study(runs, _shape),
        "Parametrization": _by_study(runs, _settings_of("parametrization")),
        "Optimizer": _by_study(runs, _settings_of("optimizer", without=("lr",))),
        "Schedule": _by_study(runs, _settings_of("schedule")),
        "Batch size": _by_study(runs, _examples_per_step),
        "Precision": _by_study(runs, lambda part: _joined(_values(part, "precision"))),
        "Device": _by_study(runs, lambda part: _joined(value for value in part["device"] if value != "unknown")),
        "Code": _by_study(runs, lambda part: _joined(f"git {value}" for value in part["git_revision"].dropna())),
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
        "Runs": f"{len(runs)}: {ended}",
        "Left out, did not finish": "; ".join(named + more) or "none",
        "Left out, other runs of the folder": "; ".join(analysis.left_out) or "none",
        "Choice of learning rate": _by_study(runs, lambda part: _lr_choice(part, frame)),
        "Choice of duration": "the longest of the study; the surface uses all of them",
        "Runs behind the laws": _by_study(
            runs, lambda part: f"{loss.loc[loss['study'] == part['study'].iloc[0], 'run_id'].nunique()}"
        ),
        "Evaluation set, examples": " or ".join(n_eval) or NOT_RECORDED,
    }


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
    starts = sorted({LAWS[law].n_starts for law in (*_FITTED, "hoffmann")})
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
        "Extrapolation": _by_study(analysis.runs, lambda part: _extrapolation_error(analysis, part["study"].iloc[0])),
    }


def _at_chance(analysis: Analysis) -> str:
    laws = analysis.laws
    studies = sorted(set(laws.loc[laws["status"] == str(FitStatus.NOTHING_LEARNT), "study"].map(str)))
    rule = f"no law where no size is below it by more than noise (one-sided t test, {100 * ALPHA:g} %)"
    return f"{rule}: {', '.join(studies) or 'in no study'}"


def _results(analysis: Analysis) -> list[str]:
    laws = law_table(analysis.laws)
    status = analysis.laws.groupby("study")["status"].agg(lambda values: ", ".join(dict.fromkeys(values)))
    laws.insert(len(laws.columns) - 2, "status", laws["study"].map(status))
    kind = f"{confidence(analysis.level)} intervals {interval_kind(analysis.interval)}"
    lines = [f"Exponents of the loss, {kind}:", "", *_markdown_table(laws)]
    if not (rows := fit_surfaces(analysis)):
        return [
            *lines,
            "",
            "No surface over N and D: in every study, runs of the same size saw the same number of tokens.",
        ]
    title = f"Surfaces over N and D (least squares), with N_opt ∝ C^a, {confidence(analysis.level)} intervals:"
    notes = [f"- {_one_line(row['study'])}, {row['N']}: {_one_line(row['message'])}" for row in rows if row["message"]]
    table = pd.DataFrame(rows).drop(columns="message")
    return [*lines, "", title, "", *_markdown_table(table), *([""] if notes else []), *notes]


def _not_known(sections: Mapping[str, Items]) -> list[str]:
    missing = [f"{title}: {item}" for title, items in sections.items() for item in items if NOT_RECORDED in items[item]]
    return [f"- {each}" for each in missing]


# ------------------------------------------------------------------------------------------------- items of one study


def _task(part: pd.DataFrame) -> str:
    return _named(part, "task", "task")


def _family(part: pd.DataFrame) -> str:
    return _named(part, "family", "family")


def _named(part: pd.DataFrame, column: str, setting: str) -> str:
    """The names in the column, followed by their settings in the config."""
    names = [str(name) for name in dict.fromkeys(part[column]) if name != "unknown"]
    settings = [value for value in _values(part, setting) if isinstance(value, dict)]
    details = _joined(_pairs(value, without=("name",)) for value in settings)
    return _joined(names) + (f" ({details})" if names and details != NOT_RECORDED else "")


def _settings_of(group: str, without: tuple[str, ...] = ()) -> Callable[[pd.DataFrame], str]:
    def describe(part: pd.DataFrame) -> str:
        return _joined(_pairs(value, without) for value in _values(part, group) if isinstance(value, dict))

    return describe


def _pairs(settings: Mapping[str, Any], without: tuple[str, ...] = ()) -> str:
    kind = [str(settings["kind"])] if "kind" in settings else []
    skipped = {"kind", "notes", *without}
    return ", ".join(
        kind + [f"{name} {_abbreviated(value)}" for name, value in settings.items() if name not in skipped]
    )


def _range_of(column: str) -> Callable[[pd.DataFrame], str]:
    def describe(part: pd.DataFrame) -> str:
        known = part.loc[part[column] > 0, column]
        return _span(known, count)

    return describe


def _learning_rates(part: pd.DataFrame) -> str:
    rates = sorted({float(lr) for lr in part["lr"] if lr > 0})
    if not rates:
        return NOT_RECORDED
    if len(rates) == 1:
        return f"{rates[0]:g}, the same at every size; how it was chosen is {NOT_RECORDED}"
    several = part.groupby("rung")["lr"].nunique().min() > 1
    return ", ".join(f"{lr:g}" for lr in rates) + ("" if several else "; not all at every size")


def _lr_choice(part: pd.DataFrame, frame: pd.DataFrame) -> str:
    """How the learning rate of each size was chosen, and at how many sizes it was the smallest or largest tried."""
    tried = part[part["status"] == "finished"].groupby("rung")["lr"].agg(["min", "max"])
    tried = tried[tried["min"] < tried["max"]]
    if tried.empty:
        return "only one was tried at each size"
    chosen = frame[frame["study"] == part["study"].iloc[0]].groupby("rung")["lr"].first().reindex(tried.index)
    edge = int(((chosen == tried["min"]) | (chosen == tried["max"])).sum())
    return f"lowest mean loss at each size; at {edge} of {len(tried)} sizes this is the smallest or largest tried"


def _tokens_per_parameter(part: pd.DataFrame) -> str:
    known = part[(part["tokens"] > 0) & (part["params_total"] > 0) & (part["status"] == "finished")]
    return _span(known["tokens"] / known["params_total"], short)


def _six_nd(part: pd.DataFrame) -> str:
    known = part[(part["tokens"] > 0) & (part["params_total"] > 0) & (part["flops"] > 0)]
    return _span(known["flops"] / (6.0 * known["params_total"] * known["tokens"]), lambda value: f"{value:.2f}")


def _how_n(part: pd.DataFrame) -> str:
    if _imported(part):
        return f"as stated by the files or the user; the formula is {NOT_RECORDED}"
    return "by formula: total = all parameters; non-embedding = all but token and position tables and the readout"


def _how_d(part: pd.DataFrame) -> str:
    if _imported(part):
        return f"as stated by the files or the user; the formula is {NOT_RECORDED}"
    return "steps x batch size x context length (examples, for tasks without tokens)"


def _how_c(part: pd.DataFrame) -> str:
    if _imported(part):
        return f"as stated by the files or the user; the formula is {NOT_RECORDED}"
    return "by formula: forward and backward, 2 FLOPs per multiply-add; not 6 N D"


def _shape(part: pd.DataFrame) -> str:
    known = part[(part["width"] > 0) & (part["depth"] > 0)].sort_values("params_total")
    shapes = dict.fromkeys(f"{row.width} x {row.depth}" for row in known.itertuples())
    return ", ".join(shapes) or NOT_RECORDED


def _examples_per_step(part: pd.DataFrame) -> str:
    return _joined(f"{size:,} examples" for size in sorted(set(part["batch_size"]) - {0}))


def _imported(part: pd.DataFrame) -> bool:
    return any("imported_from" in _parsed(text) for text in part["versions"].unique())


def _extrapolation_error(analysis: Analysis, study: str) -> str:
    """Error of the law chosen for total parameters on the larger sizes, when it is fitted to the smaller ones alone."""
    fit = analysis.fits.get((study, CONVENTIONS[0]))
    if fit is None:
        return "no law describes the runs"
    frame = analysis.frame
    loss = frame[(frame["study"] == study) & (frame["metric"] == "loss") & (frame["subtask"] == "all")]
    table = rolling_extrapolation(loss[CONVENTIONS[0]], loss["value"], loss["run"], law=fit.law_.name)
    if table.empty:
        return f"too few sizes to hold out the largest {100 - 100 * CUTS[0]:.0f} %"
    error, reach = percent(float(table["error"].abs().median())), f"{table['reach'].max():.2g}"
    return f"median error {error} on sizes up to {reach} x those fitted, in total parameters"


# ------------------------------------------------------------------------------------------------------------ wording


def _by_study(runs: pd.DataFrame, describe: Callable[[pd.DataFrame], str]) -> str:
    """The description of each study; studies with the same description share it."""
    studies: dict[str, list[str]] = {}
    for study, part in runs.groupby("study", sort=False):
        studies.setdefault(describe(part), []).append(str(study))
    if len(studies) == 1:
        return next(iter(studies))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in studies.items())


def _values(part: pd.DataFrame, name: str) -> list[Any]:
    """Distinct values of a setting in the configs of runs, in order of appearance."""
    found = [config[name] for text in part["config"].unique() if name in (config := _parsed(text))]
    return list({json.dumps(value, sort_keys=True): value for value in found}.values())


def _parsed(text: str) -> dict[str, Any]:
    """The JSON object in a text; {} where the text holds none."""
    try:
        content = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _joined(values: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(text for value in values if (text := str(value)))) or NOT_RECORDED


def _abbreviated(value: Any) -> str:
    if value is None:
        return "none"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _span(values: pd.Series, write: Callable[[float], str]) -> str:
    if values.empty:
        return NOT_RECORDED
    low, high = write(float(values.min())), write(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _listed(items: Items) -> list[str]:
    return [f"- **{name}**: {_one_line(text)}" for name, text in items.items()]


def _markdown_table(frame: pd.DataFrame) -> list[str]:
    header = [str(name) for name in frame.columns]
    cells = [[_one_line(row[name]).replace("|", r"\|") for name in header] for row in frame.to_dict("records")]
    return ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *cells)]


def _one_line(text: object) -> str:
    """The text on one line, without anything that Markdown would take for a tag."""
    return " ".join(str(text).split()).replace("<", "&lt;")
