"""What may follow each verb: its arguments, what they allow, and what --help says of them.

Names of laws, objectives, links and formats are listed here once more, so that --help need not load the analysis (two
seconds of scipy and pandas); a test holds them equal to those of the library.
"""

from __future__ import annotations

import argparse

from harness import metric_names
from harness.commands.values import (
    above,
    between_0_and_1,
    law_name,
    low_high,
    number_or_named,
    one_of,
    positive,
    several_of,
    whole_number,
)

LAWS = (
    *(
        "power",
        "power_floor",
        "hoffmann",
        "width_depth",
        "size_of_shape",
        "gadre",
        "kaplan",
        "muennighoff",
        "zhang",
        "zhang_joint",
        "bnsl0",
        "bnsl1",
        "bnsl2",
        "m4",
    ),
    *("logistic", "exponential_of_loss", "sigmoid_of_loss"),
    *("hernandez", "hernandez_floor", "transferred", "mixture2", "mixture3"),
)
#: Laws of a loss over sizes, which can be forecast; those of bounded metrics are reached through one, by --metric.
LAWS_OF_A_LOSS = LAWS[: LAWS.index("logistic")]
ALLOCATING = ("hoffmann", "gadre")
OBJECTIVES = ("squares", "huber", "one_sided", "binomial", "beta_binomial")
INTERVALS = ("profile", "bootstrap", "delta")
LINKS = ("sigmoid", "exponential", "gompertz")
#: Scales on which accuracy under a shift is a straight line of accuracy.
SCALES = ("probit", "logit")
#: Laws of which gains are known, over compute and over N and D.
GAINING = ("power_floor", "power", "hoffmann", "gadre")
FORMATS = ("lm_eval", "trainer", "wandb", "tensorboard", "nanogpt")
CITATION_STYLES = ("bibtex", "apa")
EXPORTS = ("csv", "tensorboard", "wandb")

#: Verdicts, in the order of what they claim, and what curves are put in order by.
VERDICTS = ("emergent", "candidate", "metric artefact", "smooth", "drop", "inconclusive", "too few sizes")
SORTS = ("p", "statistic", "threshold")
#: Where the noise of a score is known from, in the order in which a table is asked.
NOISE_SOURCES = ("checkpoints", "seeds", "items")

#: Columns that label the rows of curves -> what they hold.
LABELS = {
    "task": "task of each row",
    "subtask": "subtask of each row",
    "metric": "metric of each row (else all rows are of one, named like --value)",
    "seed": "seed of each row: runs of one seed at several sizes belong together",
}
#: The column of sizes of a results folder.
SIZES = "params_non_embedding"
#: Curves that one picture shows, a row each.
MOST_DRAWN = 6


def of_fit(parser: argparse.ArgumentParser) -> None:
    """``harness fit``."""
    _add_runs(parser)
    laws = f"best, one of {', '.join(LAWS)}, or module.Class of your own"
    parser.add_argument("--law", default="best", type=law_name(("best", *LAWS)), metavar="NAME", help=laws)
    _add_fitting(parser)
    parser.add_argument("--n-eval", metavar="COLUMN", help="answers behind each share, for laws of bounded metrics")
    parser.add_argument("--by", metavar="COLUMN", help="fit each of its groups, recipes or corpora, say, by itself")
    shared = "parameters that all groups of --by have in common, tested: alpha,beta"
    parser.add_argument("--share", metavar="NAME,...", help=shared)
    _add_output(parser)
    _add_plot(parser, "draw the fit")


def of_forecast(parser: argparse.ArgumentParser) -> None:
    """``harness forecast``."""
    _add_runs(parser)
    parser.add_argument("--at", metavar="N=7e9,D=1.4e11", action="append", required=True, help="may be given often")
    laws = f"best, one of {', '.join(LAWS_OF_A_LOSS)}, or module.Class of your own"
    parser.add_argument("--law", default="best", type=law_name(("best", *LAWS_OF_A_LOSS)), metavar="NAME", help=laws)
    metric = "forecast this instead, through the loss: a column, several, or a pattern such as 'acc_*' (see below)"
    parser.add_argument("--metric", metavar="COLUMNS", help=metric)
    links = f"loss -> metric: best (all, weighed), {', '.join(LINKS)} (best)"
    parser.add_argument("--link", type=one_of(("best", *LINKS)), metavar="NAME", help=links)
    linked = "more rows, within --where or not, for the links alone, as checkpoints are; needs --cluster"
    parser.add_argument("--link-rows", metavar="EXPRESSION", help=linked)
    guesser = "what a guesser scores: of all metrics, or NAME=NUMBER,... (that of public benchmarks is known)"
    parser.add_argument("--chance", type=number_or_named, metavar="NUMBER", help=guesser)
    ends = "least and greatest value of the metric (0,1)"
    parser.add_argument("--range", type=low_high, default=(0.0, 1.0), metavar="LOW,HIGH", help=ends)
    items = "test items behind each value of the metric: a column, or a pattern"
    parser.add_argument("--n-eval", metavar="COLUMN", help=items)
    error = "standard error of each value of the metric: a column, or a pattern"
    parser.add_argument("--stderr", metavar="COLUMN", help=error)
    parser.add_argument("--group", metavar="COLUMN", help="rows that share x and this are one run")
    parser.add_argument("--cluster", metavar="COLUMN", help="rows that share this err together: checkpoints of one run")
    _add_plot(parser, "draw runs and forecasts; of metrics, against the loss and with their links")
    parser.epilog = (
        "Several metrics inform each other's links. A loss for each: --y 'bpb_*' --metric 'acc_*' takes them in pairs, "
        "as does --y bpb_a,bpb_b --metric acc_a,acc_b."
    )
    _add_output(parser)


def of_allocate(parser: argparse.ArgumentParser) -> None:
    """``harness allocate``."""
    _add_runs(parser)
    parser.add_argument(
        "--compute",
        type=positive,
        metavar="FLOPS",
        action="append",
        required=True,
        help="e.g. 1e24; may be given often",
    )
    laws = f"{', '.join(ALLOCATING)} (hoffmann)"
    parser.add_argument("--law", default="hoffmann", type=one_of(ALLOCATING), metavar="NAME", help=laws)
    parser.add_argument("--flops-per-token-parameter", type=positive, default=6.0, metavar="K", help="C = K N D (6)")
    ratio = "a model R times as large as the optimal one, at equal loss (0.75, 0.5, 0.35, 0.25)"
    parser.add_argument("--size-ratio", type=positive, metavar="R", action="append", help=ratio)
    _add_fitting(parser)
    _add_output(parser)


def of_gain(parser: argparse.ArgumentParser) -> None:
    """``harness gain``."""
    parser.add_argument("table", metavar="TABLE", help="CSV, TSV, JSONL or Parquet, a row a run; or a results folder")
    parser.add_argument("--x", required=True, metavar="COLUMNS", help="compute, or parameters and tokens: N,D")
    parser.add_argument("--y", required=True, metavar="COLUMN", help="loss")
    parser.add_argument("--recipe", required=True, metavar="COLUMN", help="recipe of each run")
    parser.add_argument("--baseline", metavar="NAME", help="the recipe to compare others with (that of the first row)")
    where = "compute, e.g. 1e21, or N=7e9,D=1.4e11; may be given often (largest compute that both have)"
    parser.add_argument("--at", metavar="PLACE", action="append", default=[], help=where)
    same = "runs of two recipes at one x that share this, a seed say, err together"
    parser.add_argument("--counterpart", metavar="COLUMN", help=same)
    laws = f"{', '.join(GAINING)} (power_floor of compute, hoffmann of N and D)"
    parser.add_argument("--law", type=one_of(GAINING), metavar="NAME", help=laws)
    parser.add_argument("--flops-per-token-parameter", type=positive, default=6.0, metavar="K", help="C = K N D (6)")
    _add_choice(parser)
    _add_output(parser)


def of_transfer(parser: argparse.ArgumentParser) -> None:
    """``harness transfer``."""
    parser.add_argument("table", metavar="TABLE", help="CSV, TSV, JSONL or Parquet, a row a run; or a results folder")
    sizes = f"parameters, and examples trained on: N,D ({SIZES},unique_examples, where there are such columns)"
    parser.add_argument("--x", metavar="COLUMNS", help=sizes)
    parser.add_argument("--y", metavar="COLUMN", default="loss", help="loss (loss)")
    kind = "1 or true of pretrained runs, 0 or false of runs from scratch; or what each began from, empty where nothing"
    parser.add_argument("--pretrained", metavar="COLUMN", help=f"{kind} (parent_run, where there is such a column)")
    same = "runs of one size that share this err together (seed, where there is such a column)"
    parser.add_argument("--seed", metavar="COLUMN", help=same)
    parser.add_argument("--draws", type=whole_number(100), default=1000, metavar="N", help="of other seeds (1000)")
    _add_choice(parser)
    _add_output(parser)
    _add_plot(parser, "draw losses of both kinds of run, and what pretraining is worth")


def of_emergence(parser: argparse.ArgumentParser) -> None:
    """``harness emergence``."""
    table = "CSV, TSV, JSONL or Parquet, a row a run and metric; or a results folder"
    parser.add_argument("table", metavar="TABLE", help=table)
    parser.add_argument("--x", metavar="COLUMN", help=f"sizes ({SIZES}, where there is such a column)")
    _add_curves(parser)
    parser.add_argument("--alpha", type=between_0_and_1, default=0.05, help="false discovery rate (0.05)")
    _add_fraction(parser)
    orders = f"{', '.join(SORTS)} (the order of the table)"
    parser.add_argument("--sort", type=one_of(SORTS), metavar="NAME", help=f"order of the curves: {orders}")
    parser.add_argument("--top", type=whole_number(1), metavar="N", help="show the first N curves (--json has all)")
    verdicts = f"show these only: {', '.join(VERDICTS)} (--json has all)"
    parser.add_argument("--verdict", type=several_of(VERDICTS), metavar="NAME,...", help=verdicts)
    onset = "share of its rise at which an ability sets in (0.1)"
    parser.add_argument("--onset", type=between_0_and_1, default=0.1, help=onset)
    parser.add_argument("--scores", action="store_true", help="the scores of the literature beside each verdict")
    _add_output(parser)
    _add_plot(parser, f"draw the {MOST_DRAWN} clearest curves")


def of_compare(parser: argparse.ArgumentParser) -> None:
    """``harness compare``."""
    results = "results folders, or tables (CSV, TSV, JSONL or Parquet), a row a run and metric"
    parser.add_argument("results", metavar="RESULTS", nargs="+", help=results)
    sizes = "one or two columns of sizes; or a metric, such as loss: its mean over the runs of each size"
    parser.add_argument("--x", metavar="COLUMNS", default=SIZES, help=f"{sizes} (%(default)s)")
    _add_curves(parser)
    parser.add_argument("--metrics", metavar="NAME,...", help="metrics to compare (all discontinuous ones)")
    _add_fraction(parser)
    _add_output(parser)
    _add_plot(parser, "forest of thresholds")
    overlay = (
        "the curves themselves on one pair of axes, a picture a metric: --metrics, or all that several curves have"
    )
    parser.add_argument("--overlay", metavar="OUT.png", help=f"{overlay} (and OUT.svg beside it)")


def of_shifts(parser: argparse.ArgumentParser) -> None:
    """``harness shifts``."""
    table = "results folder; or CSV, TSV, JSONL or Parquet, a row a run, metric and split, with a column split"
    parser.add_argument("table", metavar="TABLE", help=table)
    parser.add_argument("--x", metavar="COLUMN", help=f"sizes ({SIZES}, where there is such a column)")
    parser.add_argument("--own", metavar="NAME", default="eval", help="split that shifts are compared with (eval)")
    base = "study (or value of --by) whose runs the line is fitted to (all)"
    parser.add_argument("--baseline", metavar="NAME", help=base)
    scales = f"scale of both accuracies: {', '.join(SCALES)} (probit)"
    parser.add_argument("--link", type=one_of(SCALES), default="probit", metavar="NAME", help=scales)
    correct = "correct slopes for evaluation noise, as if each run had met items of its own"
    parser.add_argument("--corrected", action="store_true", help=correct)
    clusters = "runs that share this err together, such as seed (each run by itself)"
    parser.add_argument("--cluster", metavar="COLUMN", help=clusters)
    _add_curves(parser)
    parser.add_argument("--alpha", type=between_0_and_1, default=0.05, help="false discovery rate of jumps (0.05)")
    _add_fraction(parser)
    _add_output(parser)
    _add_plot(parser, "draw each line; of several, a picture each")


def of_screen(parser: argparse.ArgumentParser) -> None:
    """``harness screen``."""
    table = "CSV, TSV, JSONL or Parquet, a row a recipe, size, checkpoint and metric; or a results folder"
    parser.add_argument("table", metavar="TABLE", help=table)
    parser.add_argument("--x", metavar="COLUMN", help=f"sizes ({SIZES}, where there is such a column)")
    recipe = "what is to be ranked: data recipes, models (study, where there is such a column)"
    parser.add_argument("--recipe", metavar="COLUMN", dest="by", help=recipe)
    step = "how far a run has trained at each row (step, where there is such a column)"
    parser.add_argument("--step", metavar="COLUMN", help=step)
    _add_values(parser)
    sources = f"{', '.join(NOISE_SOURCES)} (the first that the table has)"
    parser.add_argument("--noise", type=one_of(NOISE_SOURCES), metavar="SOURCE", help=f"of a score: {sources}")
    last = "checkpoints of a run, from its end, whose scatter is its noise (5)"
    parser.add_argument("--last", type=whole_number(2), metavar="N", default=5, help=last)
    target = "size whose order of recipes is to be foreseen (the largest that five recipes have)"
    parser.add_argument("--target", type=positive, metavar="SIZE", help=target)
    other = "metric that orders recipes there, for all metrics of its task (each metric itself)"
    parser.add_argument("--target-metric", metavar="METRIC", help=other)
    small = "size at which tasks are listed and put in order (the smallest)"
    parser.add_argument("--small", type=positive, metavar="SIZE", help=small)
    right = "share of pairs ordered right from which a task is readable (0.8)"
    parser.add_argument("--accuracy", type=between_0_and_1, default=0.8, metavar="SHARE", help=right)
    parser.add_argument("--alpha", type=between_0_and_1, default=0.05, help="false discovery rate (0.05)")
    parser.add_argument("--top", type=whole_number(1), metavar="N", help="show the first N tasks (--json has all)")
    parser.set_defaults(pair=[])
    parser.epilog = metric_names.vocabulary(pairs=False)
    _add_output(parser)
    _add_plot(parser, "draw what each task tells at each size")


def of_import(parser: argparse.ArgumentParser) -> None:
    """``harness import``."""
    parser.add_argument("kind", metavar="KIND", help=f"format of the files: {', '.join(FORMATS)}")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a file (also .gz), or a folder: all of the kind under it"
    )
    parser.add_argument("--into", metavar="FOLDER", required=True, help="results folder, e.g. results/NAME")
    about = "a table with a row a file (column file) or run (column run), and columns params, family, tokens, ..."
    parser.add_argument("--about", metavar="SIDECAR", help=about)
    stated = "of all runs, e.g. params_total=124e6; may be given several times"
    parser.add_argument("--set", metavar="SETTING=VALUE", dest="settings", action="append", default=[], help=stated)
    pair = "a metric and the continuous one of the same answers, e.g. accuracy=loss; may be given several times"
    parser.add_argument("--pair", metavar="METRIC=CONTINUOUS", action="append", default=[], help=pair)


def of_export(parser: argparse.ArgumentParser) -> None:
    """``harness export``."""
    parser.add_argument("kind", metavar="KIND", help=f"what for: {', '.join(EXPORTS)}")
    parser.add_argument("results", metavar="RESULTS", help="results folder, or its name under ./results")
    parser.add_argument("--into", metavar="FOLDER", help="where to write (exports/KIND in the results folder)")
    parser.epilog = (
        "csv: runs.csv, measurements.csv and trajectories.csv, which fit and emergence read. tensorboard: an event "
        "file a run, with its settings. wandb: offline runs, which `wandb sync` uploads. Exporting again, or another "
        "results folder to the same place, adds what is new and keeps what is there."
    )


def of_init(parser: argparse.ArgumentParser) -> None:
    """``harness init``."""
    about = "where to write it, the current one unless given; files that are there are never overwritten"
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help=about)


def of_cite(parser: argparse.ArgumentParser) -> None:
    """``harness cite``."""
    results = "results folder, or its name: only the papers of the methods that its runs and their analysis used"
    parser.add_argument("results", metavar="RESULTS", nargs="?", help=results)
    styles = f"{', '.join(CITATION_STYLES)} (bibtex)"
    parser.add_argument("--style", default="bibtex", type=one_of(CITATION_STYLES), metavar="NAME", help=styles)


# ------------------------------------------------------------------------------------------------ shared between verbs


def _add_runs(parser: argparse.ArgumentParser) -> None:
    """A table with a row a run, for laws."""
    parser.add_argument("table", metavar="TABLE", help="CSV, TSV, JSONL or Parquet, a row a run; or a results folder")
    parser.add_argument("--x", required=True, metavar="COLUMNS", help="sizes, in the order of the law's variables: N,D")
    parser.add_argument("--y", required=True, metavar="COLUMN", help="loss")
    _add_choice(parser)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Which rows of the table count, and columns made from others or from a second table."""
    about = "second table, a row a model: its columns are joined by those that both have (model, say)"
    parser.add_argument("--about", metavar="TABLE", help=about)
    split = "evaluation set to judge by: of a results folder a shift (eval); of a table, a value of its column split"
    parser.add_argument("--split", metavar="NAME", help=split)
    parser.add_argument("--where", metavar="EXPRESSION", help="the rows this is about: \"corpus == 'dclm'\"")
    excluded = 'rows to leave out and list: "loss > 4"'
    parser.add_argument("--exclude", metavar="EXPRESSION", action="append", default=[], help=excluded)
    derived = 'a new column: "D = C / (6*N)"'
    parser.add_argument("--derive", metavar="NAME = EXPRESSION", action="append", default=[], help=derived)


def _add_fitting(parser: argparse.ArgumentParser) -> None:
    """How a law is fitted."""
    objectives = f"{', '.join(OBJECTIVES)} (squares, of ln loss, whatever the law; beta_binomial with --n-eval)"
    parser.add_argument("--objective", type=one_of(OBJECTIVES), metavar="NAME", help=objectives)
    parser.add_argument("--delta", type=positive, help="of huber and one_sided, in ln y (0.001)")
    penalty = "of one_sided: cost of a run below the law, in that of one above it (10)"
    parser.add_argument("--penalty", type=above(1.0), metavar="K", help=penalty)
    weight = "weight of each run: its variance is inverse to it"
    parser.add_argument("--weight", metavar="COLUMN", help=weight)
    kinds = f"{', '.join(INTERVALS)} (huber, one_sided: bootstrap; else profile)"
    parser.add_argument("--interval", type=one_of(INTERVALS), metavar="KIND", help=kinds)
    draws = "bootstrap intervals with this many refits"
    parser.add_argument("--bootstrap", type=whole_number(100), metavar="DRAWS", help=draws)
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of the bootstrap (0)")
    parser.add_argument("--group", metavar="COLUMN", help="rows that share x and this are one run")
    clusters = "runs that share this err together (checkpoints of one run): intervals rest on its groups"
    parser.add_argument("--cluster", metavar="COLUMN", help=clusters)


def _add_curves(parser: argparse.ArgumentParser) -> None:
    """The columns of curves of metrics, what the metrics mean, how curves are judged, and the choice of rows."""
    apart = "a curve of its own for each of its labels: families, corpora"
    parser.add_argument("--by", metavar="COLUMN", help=apart)
    pair = "the continuous metric that judges it, on the same outputs, or 'acc_*=bpb_*'; may be given often (see below)"
    parser.add_argument("--pair", metavar="METRIC=CONTINUOUS", action="append", default=[], help=pair)
    _add_values(parser)


def _add_values(parser: argparse.ArgumentParser) -> None:
    """The columns of values of metrics, what the metrics mean, and the choice of rows."""
    values = "the metric's value (value); of a table with a column a task a pattern, 'acc_*', or a list of columns"
    parser.add_argument("--value", metavar="COLUMN", help=values)
    for name, what in LABELS.items():
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"{what} ({name}, where there is such a column)")
    parser.add_argument("--n-eval", metavar="COLUMN|NUMBER", help="test items behind each value (n_eval)")
    error = "standard error of each value (stderr); the items of a share follow from it"
    parser.add_argument("--stderr", metavar="COLUMN", help=error)
    parser.add_argument("--chance", metavar="COLUMN|NUMBER", help="value of a guesser (chance)")
    bins = "take sizes together that lie in one of N bins of an octave, at their geometric mean"
    parser.add_argument("--bins-per-octave", type=positive, metavar="N", help=bins)
    for flag, what in (
        ("--lower-is-better", "metrics of which less is better"),
        ("--higher-is-better", "metrics of which more is better"),
        ("--discontinuous", "metrics that can jump where the outputs move smoothly: those that are tested"),
        ("--continuous", "metrics that move smoothly with the outputs: those that judge"),
    ):
        parser.add_argument(flag, metavar="METRIC,...", help=f"{what} (see below)")
    _add_choice(parser)
    parser.epilog = metric_names.vocabulary()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def _add_fraction(parser: argparse.ArgumentParser) -> None:
    share = "share of its rise at which an ability has appeared (0.5)"
    parser.add_argument("--fraction", type=between_0_and_1, default=0.5, help=share)


def _add_output(parser: argparse.ArgumentParser) -> None:
    """Where results go."""
    parser.add_argument("--level", type=between_0_and_1, default=0.95, help="of the intervals (0.95)")
    content = 'write everything there as JSON (an open end is "inf", what is not there null)'
    parser.add_argument("--json", metavar="OUT", help=content)


def _add_plot(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--plot", metavar="OUT.png", help=f"{what} (and OUT.svg beside it)")
