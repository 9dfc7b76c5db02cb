"""``harness.sweep`` and ``harness.plan``: the verbs that train and plan, called from a notebook or a script.

They take what the command line takes and give pandas frames. Mistakes raise `harness.errors.UserError` with the same
text that the command line prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from harness.config import compose
from harness.errors import DataError, UserError, warn_of_runs
from harness.explain import explain
from harness.overrides import Given, overrides_of

if TYPE_CHECKING:
    from harness.settings import Settings

#: The call that is being made, if any.
_call: ContextVar[str | None] = ContextVar("call", default=None)


def sweep(*overrides: Given, **settings: Any) -> pd.DataFrame:
    """Train every run of an experiment that is not done yet, on all cores, and return the numbers of all its runs.

    A run that has finished is never trained again: a second call returns at once, and one after an interruption
    (Ctrl-C, or the notebook's stop button, which raise KeyboardInterrupt once the workers have ended) goes on from
    there. Meanwhile a notebook shows bars, and a script writes bars or lines to stderr.

    Configs in ``./conf``, and tasks and families of modules in the current folder, are found as on the command line.
    They must stand in files: workers cannot import a class that a notebook's cell or the script itself defines. A
    script needs no ``if __name__ == "__main__"``. Python keeps a module that it has imported, so restart the kernel
    after editing a task or a family.

    Args:
        overrides: in Hydra's grammar, e.g. ``"experiment=quickstart/text"``, lists of such strings, or mappings, e.g.
            ``{"optimizer.lr": 0.01}``.
        settings: further settings by name. Values are taken as they are: lists, None, and strings with any characters
            in them, in which ``${...}`` refers to other settings as in a config. A mapping holds the settings of a
            group.

    Returns:
        What `harness.load` gives of these studies: one row per (run, subtask, metric) at the last step. Sizes and
        seeds that earlier sweeps and `harness refine` added to the same studies are among the rows; runs of other
        settings in the same folder are not. ``frame.attrs["results"]`` is the results folder, from which
        `harness.load` reads trajectories and every learning rate and duration. Only runs that finished are in the
        frame, as with `harness.load`; a `RunsWarning` says which runs of this call failed or diverged, and why.

    Raises:
        UserError: a setting that cannot be used; a family or task with a mistake; no run that finished.

    Examples:
        >>> frame = harness.sweep("experiment=quickstart/text", seeds=3)  # doctest: +SKIP
        >>> harness.sweep("experiment=quickstart/text", {"optimizer.lr": [0.01, 0.03]}, name="rates")  # doctest: +SKIP
        >>> harness.sweep(family="mlp", task="digits", ladder={"widths": [8, 16, 32], "steps": 500})  # doctest: +SKIP
    """
    with _calling("sweep"):
        studies = _studies(overrides, settings)
        ended = _train(studies)
        return _frame_of(studies, ended)


def plan(*overrides: Given, trial: bool = True, cluster: str | None = None, **settings: Any) -> pd.DataFrame:
    """The rungs of an experiment and what each is predicted to cost; trains nothing.

    The smallest model of each depth is built and its parameters are counted, so that a mistake in a family of your own
    shows here. Sizes that make enough work are timed for half a second each, unless they have been before.

    Args:
        overrides: as `sweep` takes them.
        trial: whether sizes may be timed.
        cluster: what the runs take on a cluster, e.g. ``"nodes=64,gpus=8,kind=h100,price=2"``; by formula, so that
            nothing is built or timed here. Further keys: ``power``, ``pue``, ``precision``, ``network``.
        settings: likewise.

    Returns:
        A row for each rung of each study, and for each duration where there are several: ``study``, ``family``,
        ``task``, ``rung``, ``width``, ``depth``, ``heads``, parameters in all and by group (``params_total``,
        ``params_non_embedding``, ``params_mlp``, ...), ``steps``, and ``tokens`` and training ``flops`` of one run.
        ``spent_flops`` are those that a run spends itself, fewer than ``flops`` where durations share their first steps
        (``ladder.branched``). ``runs`` counts the rung's members, ``runs_to_do`` those not trained yet. ``together`` is
        how many of them one process trains, ``step`` how it runs a step. ``predicted_s`` is the wall time in seconds of
        all its runs on one worker, ``predicted_evaluation_s`` what of it evaluations take, ``predicted_bytes`` the peak
        memory of that worker, ``predicted_from`` where they come from: "trials" of this or other sizes, else "finished
        runs" or "a rough model", whose memory is within a factor of two. ``checkpoint_bytes`` is the disk that
        checkpoints of one of its jobs take at most while it trains, ``kept_bytes`` what ``training.keep`` leaves of all
        its runs. ``frame.attrs`` holds ``device``, ``workers`` and ``results``, and of all that is to do ``wall_s``,
        the seconds that a sweep will take from its start to its end, ``bytes``, the peak memory of all workers, and
        ``flops``, those that are spent.

        With `cluster`, the predictions are others: whether a run ``fits``, ``gpus_per_run``, how it is spread over them
        (``data_parallel``, ``tensor_parallel``, ``pipeline_stages``, ``sharding``: "none", "zero1" or "zero3",
        ``micro_batch``, ``recompute``), ``memory_bytes`` of a GPU, ``utilisation`` (FLOPs over those of the peak),
        seconds of a step (``step_s``), of communication in it that is not hidden (``exposed_communication_s``), of a
        run (``run_s``) and of all runs of the rung (``wall_s``), and of all its runs ``gpu_hours``, ``dollars`` where a
        price was given, and ``kwh``; ``frame.attrs`` holds their sums and ``wall_s`` of the sweep.

    Raises:
        UserError: as `sweep`.

    Examples:
        >>> rungs = harness.plan("experiment=quickstart/text")  # doctest: +SKIP
        >>> rungs.attrs["wall_s"] / 60  # minutes  # doctest: +SKIP
    """
    with _calling("plan"):
        if cluster is not None:
            from harness.sweeping.cluster_plan import cluster_frame

            return cluster_frame(_studies(overrides, settings), cluster)
        from harness.sweeping.run import planned

        return planned(_studies(overrides, settings), trial)


@contextmanager
def _calling(name: str) -> Iterator[None]:
    """Refuse a call that is made by a module which another call imports for its task or family."""
    if (outer := _call.get()) is not None:
        raise UserError(
            f"harness.{name} is called while harness.{outer} imports this module for a task or a family: move the "
            'class into a file of its own, or put the call under `if __name__ == "__main__":`'
        )
    token = _call.set(name)
    try:
        yield
    finally:
        _call.reset(token)


def _studies(overrides: Sequence[Given], settings: Mapping[str, Any]) -> list[Settings]:
    try:
        studies = compose(*overrides_of(*overrides, **settings))
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise UserError(explain(error)) from None  # a notebook would show all frames of Hydra
    for study in studies:
        for setting in ("family", "task"):
            kind = type(getattr(study, setting))
            if kind.__module__ == "__main__":
                raise UserError(
                    f"{setting}._target_=__main__.{kind.__qualname__}: workers cannot import what a notebook or a "
                    "script itself defines; put the class into a file of its own beside it"
                )
    return studies


def _train(studies: Sequence[Settings]) -> list[str]:
    """Train what is left; a line for each way in which runs failed or diverged."""
    from harness.sweeping.failures import failure_lines
    from harness.sweeping.run import train_missing

    console = Console()
    if not console.is_jupyter:
        console = Console(stderr=True)  # stdout is the script's own
    try:
        if studies[0].launcher.engine == "slurm":
            from harness.sweeping.launchers import submitting

            submitting.sweep(studies, console, wait=True)
            return failure_lines(submitting.ended_runs(studies))
        return failure_lines(train_missing(studies, console))
    except KeyboardInterrupt as stop:
        said = ": ".join(filter(None, ["stopped", str(stop)]))
        raise KeyboardInterrupt(f"{said}; finished runs are kept, and the same call goes on from there") from None


def _frame_of(studies: Sequence[Settings], failures: Sequence[str]) -> pd.DataFrame:
    """The rows of the studies' finished runs.

    Raises:
        UserError: none has finished.
    """
    from harness.sweeping.asked import load_asked

    try:
        frame = load_asked(studies, name_others=False)
    except DataError as error:
        raise UserError("no run has finished: " + "; ".join(failures or [str(error)])) from None
    for line in failures:
        warn_of_runs(f"not in the frame: {line}")
    frame.attrs["results"] = str(Path(studies[0].results))
    return frame
