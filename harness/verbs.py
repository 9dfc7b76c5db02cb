"""All verbs by name, and what `harness VERB --help` says of those that take settings; nothing heavy is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness import commands


@dataclass(frozen=True)
class StudyVerb:
    """A verb that takes settings in Hydra's grammar.

    Attributes:
        about: what it does, in a line.
        purpose: the same in a sentence or two more.
        settings: names of settings and of groups of them that matter for it -> why, in a phrase.
        examples: commands that run -> what each is for.
        further: where to read on.
        flags: of its own -> what each does. All others are Hydra's.
        reads_folders: whether a results folder may be given as it is.
    """

    about: str
    purpose: str
    settings: Mapping[str, str]
    examples: Mapping[str, str]
    further: str
    flags: Mapping[str, str] = field(default_factory=dict)
    reads_folders: bool = False


_CHOICES = "experiment=NAME, or family=NAME and task=NAME"
_SIZES = {_CHOICES: "what to train", "ladder": "sizes and durations", "seeds": "runs of each size"}
_TRAINED = {"optimizer, schedule, parametrization": "how", "training": "device, precision, evaluations"}
_OWN = "family=mlp task=digits ladder.widths=[8,16,32,64] ladder.steps=500 name=mine"

#: Verbs that train or look at training need families and tasks built.
TRAINING: dict[str, StudyVerb] = {
    "plan": StudyVerb(
        about="rungs, parameters, FLOPs, predicted time and memory; trains nothing",
        purpose="Shows every size that sweep would train, with its parameters by group, its training FLOPs, and the "
        "time and memory that this machine is predicted to need. It builds and checks each study's smallest model, and "
        "times some sizes for half a second each, where that has not been done before and there is enough to train.",
        settings=_SIZES | {"launcher": "processes side by side, members in each, how steps are run"},
        examples={
            "harness plan experiment=quickstart": "what the quickstart trains",
            f"harness plan {_OWN}": "a ladder of your own, without a file",
            "harness plan --check experiment=quickstart/text": "before a family of your own is trained",
            "harness plan experiment=quickstart/text --cluster nodes=4,gpus=8,kind=h100": "on 32 GPUs elsewhere",
        },
        further="harness settings ladder; harness train --help, harness sweep --help",
        flags={
            "--check": "build every size, and compare formulas for parameters and FLOPs with what torch counts",
            "--cluster nodes=N,...": "what it takes on a cluster (nodes=64,gpus=8,kind=h100), by formula: GPU-hours, "
            "memory, sharding, dollars, energy; more keys: price, power, pue, precision, network",
            "--no-trial": "time nothing: predict from trials of before, finished runs or a rough model",
        },
    ),
    "train": StudyVerb(
        about="one run: rung=, seed=",
        purpose="Trains one run of one study: the size `rung`, counted from 0, with the seed `seed`. It lands in the "
        "same results folder as the runs of sweep, which then need not train it.",
        settings={_CHOICES: "the study", "rung, seed": "which run of it"} | _TRAINED,
        examples={
            "harness train experiment=quickstart/parity rung=0 seed=1": "the smallest size",
            f"harness train {_OWN} rung=3": "a study of your own, without a file",
        },
        further="harness sweep --help; harness settings training",
    ),
    "sweep": StudyVerb(
        about="every run of an experiment that is not finished yet, on all cores",
        purpose="Trains every size, seed and learning rate of an experiment, the costly ones first, into results/NAME. "
        "Runs that are done are not trained again: interrupt it whenever you like, and the same command goes on.",
        settings=_SIZES | _TRAINED | {"launcher": "processes, members in each"},
        examples={
            "harness sweep experiment=quickstart": "all five studies of the quickstart",
            "harness sweep experiment=quickstart task=text ladder.widths=[16,32,64] seeds=5": "one of them, changed",
            "harness sweep --multirun experiment=quickstart/text optimizer.lr=0.01,0.03 name=rates": "a grid",
            f"harness sweep {_OWN}": "a ladder of your own, without a file",
            "harness sweep experiment=quickstart launcher=slurm launcher.minutes=30": "as tasks of a Slurm array",
        },
        further="harness plan --help shows what it costs first; harness status, harness analyze for what came out",
        flags={"--wait": "on a cluster, return when all has ended; what is lost meanwhile is submitted again"},
    ),
    "refine": StudyVerb(
        about="sweep, then add the sizes and seeds that narrow N* most per FLOP",
        purpose="Sweeps a study, then trains sizes between its own and more seeds, wherever the interval of a "
        "threshold N* narrows most per FLOP, until every N* is placed as well as asked or the budget is spent.",
        settings={_CHOICES: "the study", "refine": "how narrow, at what cost", "analysis": "on which axis"},
        examples={
            "harness refine experiment=quickstart/parity refine.ratio=1.5 refine.budget=2": "twice its own FLOPs",
            "harness refine experiment=quickstart/lookup refine.metrics=exact_match": "the threshold of one metric",
        },
        further="harness settings refine; harness analyze --help",
    ),
    "redo": StudyVerb(
        about="train recorded runs anew, by default those whose counts have changed; trains only with --yes",
        purpose="Shows which recorded runs would be trained anew and what that costs; with --yes it trains them. An "
        "old run stays until the new one has finished.",
        settings={_CHOICES: "the study", "redo": "which of its runs"},
        examples={
            "harness redo experiment=quickstart": "runs whose recorded counts the code no longer gives",
            "harness redo experiment=quickstart/text redo.which=all redo.rungs=[0,1]": "two sizes, whatever they hold",
            "harness redo --yes experiment=quickstart redo.which=failed": "failed runs; trains them",
        },
        further="harness settings redo; harness status --help, harness verify --help",
        flags={"--yes": "train; without it, nothing is"},
    ),
    "status": StudyVerb(
        about="what is finished, running, pending, failed and why; runs whose counts have changed",
        purpose="Compares what an experiment asks for with what its results hold: a row a size, jobs that run now with "
        "the time left, why runs failed, and runs whose recorded counts are no longer the code's.",
        settings=_SIZES,
        examples={
            "harness status experiment=quickstart": "while sweep runs, from another terminal",
            "harness status --watch experiment=quickstart": "the same, renewed until every run has ended",
            "harness status experiment=quickstart seeds=24": "of more seeds than the file asks for",
            "harness status results/quickstart": "what has ended of a folder, and how far its tasks on a cluster are",
        },
        further="harness sweep --help; harness redo --help",
        flags={"--watch": "renew a grid of sizes and seeds every two seconds until every run has ended, or Ctrl-C"},
        reads_folders=True,
    ),
    "cancel": StudyVerb(
        about="end what a sweep has submitted to a cluster",
        purpose="Ends the tasks of results folders that wait in a cluster's queue or train there, after they have "
        "written their checkpoints. The same sweep goes on from there.",
        settings={"experiment=NAME": "its results"},
        examples={
            "harness cancel results/quickstart": "a folder, or several",
            "harness cancel experiment=quickstart": "that of an experiment",
        },
        further="harness sweep --help; harness status --help",
        reads_folders=True,
    ),
}

#: Verbs that read what was trained.
READING: dict[str, StudyVerb] = {
    "verify": StudyVerb(
        about="whether results are sound and the code still counts as it did",
        purpose="Checks recorded counts against the code, run ids against settings, and pieces and tables against each "
        "other, of an experiment or of results folders; names seeds that some sizes lack, and reports older than their "
        "tables. It changes nothing without --fix.",
        settings={"experiment=NAME": "its results"},
        examples={
            "harness verify results/quickstart": "a folder, or several",
            "harness verify experiment=quickstart": "those of an experiment",
            "harness verify --fix results/quickstart": "set aside what is to be trained again",
        },
        further="harness redo --help trains runs with other counts anew",
        flags={
            "--fix": "rename bad pieces into the folder set_aside; sweep trains those runs again that no table holds"
        },
        reads_folders=True,
    ),
    "collect": StudyVerb(
        about="merge the runs' pieces into two Parquet tables",
        purpose="Merges the pieces that runs have left into runs.parquet and measurements.parquet. Whatever reads a "
        "results folder does so too; this verb is for reading them with other tools.",
        settings={"experiment=NAME": "its results"},
        examples={
            "harness collect results/quickstart": "a folder, or several",
            "harness collect experiment=quickstart": "those of an experiment",
        },
        further="harness.load in Python reads the tables as one frame",
        reads_folders=True,
    ),
    "analyze": StudyVerb(
        about="laws, jumps, thresholds, verdicts; plots, report.html and card.md",
        purpose="Fits laws to the loss, tests every metric for jumps, places thresholds N*, and writes verdicts, "
        "plots, report.html and card.md into the results folder: of the runs that an experiment asks for, or of all in "
        "a folder.",
        settings={
            "experiment=NAME": "its runs",
            "analysis": "axis, levels",
            "by": "a curve for each value of a setting",
        },
        examples={
            "harness analyze experiment=quickstart": "the runs that it asks for",
            "harness analyze results/quickstart": "all runs in a folder",
            "harness analyze experiment=quickstart/text by=optimizer.lr": "each learning rate a curve of its own",
        },
        further="harness settings analysis; harness emergence --help and harness fit --help for other tables",
        reads_folders=True,
    ),
}

STUDY_VERBS = TRAINING | READING
#: Needs no family, and a task at most to know what kind of data it reads.
DATA = StudyVerb(
    about="counts of data by split and class, what preparation removed, and a picture",
    purpose="Reads and prepares data as a task would, and shows examples by split and class, what each step of "
    "preparation removed or changed, and where they come from. It trains nothing.",
    settings={"data": "source, split, preparation, augmentation", "task=NAME": "what kind of data is read"},
    examples={
        "harness data data=digits --kind images": "digits, which come with the package",
        "harness data data=fashion_mnist data.augment=[flip,affine] --kind images --out sheet.png": "a contact sheet",
    },
    further="harness settings data",
    flags={
        "--out FILE": "draw some: a contact sheet, spectrograms, snippets of text or histograms; .png, .pdf or .svg",
        "--kind KIND": "images, text, audio or features, where no task that reads data is chosen",
    },
)
#: `settings` explains what the verbs above take.
VERBS = (*STUDY_VERBS, "data", "settings", *commands.VERBS)

#: Flags of these verbs' own; all others are Hydra's.
FLAGS = {name: tuple(flag.partition(" ")[0] for flag in verb.flags) for name, verb in STUDY_VERBS.items()}
#: Those of them that take a value.
VALUED = frozenset(flag.partition(" ")[0] for verb in STUDY_VERBS.values() for flag in verb.flags if " " in flag)
#: Verbs that may be given results folders.
FOLDER_VERBS = tuple(name for name, verb in STUDY_VERBS.items() if verb.reads_folders)
