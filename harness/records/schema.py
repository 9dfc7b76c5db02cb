"""The two tables that every run ends in, and the version of their layout.

`runs` has one row per run: one member (seed, learning rate) of one rung trained for one duration.
`measurements` is long: one row per number, (run_id, step, split, subtask, metric) -> value.

Units are in the columns' names or in their metadata under ``unit``. A change of layout raises SCHEMA_VERSION; tables of
another version are refused by name, never reinterpreted. A column that is added is none: it is null in the rows of
tables that were written without it (`ADDED`), and an earlier harness passes over it.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1

#: How a run can end, the best end first. Failures are rows too.
STATUSES = ("finished", "diverged", "failed")

#: What a run goes on from: null where it started from its initial values, but for `total_flops`.
LINEAGE = (
    *("total_flops", "parent_run", "parent_step", "parent_digest", "parent_loss"),
    *("pretraining_tokens", "pretraining_flops"),
)

#: Splits that a run always has; any other is named by a shift of its evaluation set.
SPLITS = ("eval", "train")

#: Columns that tables may lack, because they were written before there were these.
ADDED = ("unique_examples", "epochs", "micro_batches", "params_trained", "spent_flops", *LINEAGE)


def _field(name: str, kind: pa.DataType, unit: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"unit": unit})


_VERSION = {"schema_version": str(SCHEMA_VERSION)}

RUNS = pa.schema(
    [
        _field("run_id", pa.string(), "hash of the settings that change the run's numbers"),
        _field("experiment", pa.string(), "name of the results folder"),
        _field("study", pa.string(), "name of one curve family within the experiment"),
        _field("family", pa.string(), "architecture"),
        _field("task", pa.string(), "task"),
        _field("rung", pa.int32(), "position on the ladder, from 0"),
        _field("duration", pa.int32(), "position among the rung's durations, from 0"),
        _field("member", pa.string(), "label of (seed, learning rate)"),
        _field("seed", pa.int64(), "seed of initialisation and data order"),
        _field("lr", pa.float64(), "base learning rate, before schedule and parametrization"),
        _field("width", pa.int32(), "features"),
        _field("depth", pa.int32(), "blocks or hidden layers"),
        _field("heads", pa.int32(), "attention heads, 0 where there is no attention"),
        _field("params_total", pa.int64(), "parameters"),
        _field("params_embedding", pa.int64(), "parameters: token and position tables"),
        _field("params_attention", pa.int64(), "parameters"),
        _field("params_mlp", pa.int64(), "parameters: feed-forward, dense and convolution kernels"),
        _field("params_norm", pa.int64(), "parameters"),
        _field("params_head", pa.int64(), "parameters: readout (0 when tied to the embedding)"),
        _field("params_non_embedding", pa.int64(), "parameters: total less embedding and head"),
        _field("params_trained", pa.int64(), "parameters that training changes, adapters among them", nullable=True),
        _field("steps", pa.int64(), "optimizer steps asked for"),
        _field("batch_size", pa.int32(), "examples per step"),
        _field("micro_batches", pa.int32(), "parts of a step's batch, above 1 for want of memory", nullable=True),
        _field("tokens", pa.int64(), "tokens (examples, where a task has no tokens) seen in training"),
        _field("unique_examples", pa.int64(), "training examples that differ; null: generated anew", nullable=True),
        _field("epochs", pa.float64(), "examples seen in training over those that differ", nullable=True),
        _field(
            "flops", pa.float64(), "floating-point operations of training, forward and backward, counted by formula"
        ),
        _field("spent_flops", pa.float64(), "flops less those of a trunk that a shorter run trained", nullable=True),
        _field("total_flops", pa.float64(), "flops with those of all runs that it goes on from", nullable=True),
        _field("parent_run", pa.string(), "run_id of the run that it started from", nullable=True),
        _field("parent_step", pa.int64(), "optimizer steps that run had done", nullable=True),
        _field("parent_digest", pa.string(), "SHA-256 of the checkpoint that it started from", nullable=True),
        _field("parent_loss", pa.float64(), "evaluation loss of that run then, nats per scored token", nullable=True),
        _field("pretraining_tokens", pa.int64(), "tokens seen by all runs that it goes on from", nullable=True),
        _field("pretraining_flops", pa.float64(), "training FLOPs of all runs that it goes on from", nullable=True),
        _field("status", pa.string(), "finished, diverged or failed"),
        _field("error", pa.string(), "why a run diverged or failed", nullable=True),
        _field("wall_s", pa.float64(), "seconds of the job that trained this member"),
        _field("tokens_per_s", pa.float64(), "training tokens per second of the job, its members together"),
        _field("device", pa.string(), "cpu, cuda:<name> or mps"),
        _field("config", pa.string(), "resolved settings (JSON)"),
        _field("versions", pa.string(), "versions of Python, torch, numpy, harness and of the task's data (JSON)"),
        _field("git_revision", pa.string(), "revision of the harness's own checkout", nullable=True),
        _field("finished_at", pa.timestamp("ms", tz="UTC"), "UTC"),
    ],
    metadata=_VERSION,
)

MEASUREMENTS = pa.schema(
    [
        _field("run_id", pa.string(), "joins to runs"),
        _field("step", pa.int64(), "optimizer steps done when measured"),
        _field("tokens", pa.int64(), "training tokens seen when measured"),
        _field("flops", pa.float64(), "training FLOPs spent when measured"),
        _field("split", pa.string(), "train, eval or the name of a shift"),
        _field("subtask", pa.string(), "subtask, or 'all' for the task as a whole"),
        _field("metric", pa.string(), "metric"),
        _field("value", pa.float64(), "the metric's own unit (loss: nats per scored token)"),
        _field("stderr", pa.float64(), "standard error from the finite evaluation set", nullable=True),
        _field("n_eval", pa.int64(), "examples evaluated, null where an imported file does not say", nullable=True),
        _field("chance", pa.float64(), "value of a guesser, where the task knows it", nullable=True),
        _field("higher_is_better", pa.bool_(), "direction"),
        _field("discontinuous", pa.bool_(), "whether the metric can jump where outputs move smoothly"),
        _field("paired_metric", pa.string(), "the continuous metric on the same outputs", nullable=True),
    ],
    metadata=_VERSION,
)

SCHEMAS = {"runs": RUNS, "measurements": MEASUREMENTS}

#: Ways to count parameters; every exponent is reported under each.
PARAMETER_CONVENTIONS = ("params_total", "params_non_embedding")
