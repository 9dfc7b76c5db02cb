"""What the cluster plan says of published training runs, over what they took.

python experiments/cluster_plan/run.py      (a second)
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness.cluster import (
    Cluster,
    Layout,
    Model,
    Planned,
    Run,
    memory_of,
    plan_run,
    read_cluster,
    step_of,
    transformer,
)

PUBLISHED = Path(__file__).with_name("published.csv")
#: Speeds of FSDP in steps that nothing interrupted, micro-batch and recomputation told: MosaicML, LLM Foundry,
#: scripts/train/benchmarking (2023), a choice of its rows.
SPEEDS = Path(__file__).with_name("throughput.csv")
#: Vocabulary of these models, and Gbit/s of a node.
VOCABULARY, NETWORK = 50_368, {"a100": 1600, "a100-40gb": 1600, "h100": 3200}
#: GPUs of a node in all of these clusters.
NODE = 8


def model_of(row: pd.Series) -> Model:
    return transformer(
        **{
            name: int(row[name])
            for name in ("layers", "width", "hidden", "heads", "kv_heads", "vocabulary", "positions")
        },
        gated=row["gated"] == "yes",
        tied=row["tied"] == "yes",
    )


def predicted(row: pd.Series) -> tuple[Planned, Cluster]:
    """The plan of a published run on as many GPUs of its kind."""
    cluster = read_cluster(f"nodes={-(-int(row['gpus']) // NODE)},gpus={NODE},kind={row['kind']}")
    steps = round(row["tokens"] / (row["batch"] * row["positions"]))
    run = Run(model_of(row), steps, int(row["batch"]), row["precision"])
    return plan_run(run, cluster, gpus=int(row["gpus"])), cluster


def table_of(published: pd.DataFrame) -> pd.DataFrame:
    """Published runs by size, with what is predicted; every second one, from the smallest, is of those that
    `SHARE_IN_TRAINING` is chosen on."""
    rows = []
    for _, row in published.iterrows():
        planned, cluster = predicted(row)
        assert planned.spent is not None, row["run"]
        rows.append(
            {
                "run": row["run"],
                "params": planned.run.model.parameters,
                "kind": cluster.kind.name,
                "gpus": planned.gpus,
                "layout": planned.sharded.layout,
                "memory": planned.sharded.memory.total,
                "hours": planned.spent.gpu_hours,
                "published": float(row["gpu_hours"]),
                "mfu": planned.spent.utilisation,
            }
        )
    frame = pd.DataFrame(rows).sort_values("params", ignore_index=True)
    frame["ratio"] = frame["hours"] / frame["published"]
    frame["chosen on"] = np.arange(len(frame)) % 2 == 0
    return frame


def speeds_of(measured: pd.DataFrame) -> pd.DataFrame:
    """Measured over predicted tokens a second in the layouts that were measured, and the memory that these take."""
    rows = []
    for row in measured.to_dict("records"):
        model = transformer(
            **{name: row[name] for name in ("layers", "width", "heads", "positions")},
            hidden=4 * row["width"],
            vocabulary=VOCABULARY,
            tied=True,
        )
        nodes = -(-row["gpus"] // NODE)
        cluster = read_cluster(f"nodes={nodes},gpus={NODE},kind={row['kind']},network={NETWORK[row['kind']]}")
        layout = Layout(
            row["gpus"], sharding="zero3", micro_batch=row["micro_batch"], recompute=row["recompute"] == "yes"
        )
        step_s = step_of(model, layout, row["batch"], "bfloat16", cluster).seconds
        memory = memory_of(model, layout, row["batch"], "bfloat16", 8.0).total
        speed = row["tokens_per_s_gpu"]
        rows.append(
            {
                "kind": row["kind"],
                "ratio": speed / (row["batch"] * row["positions"] / step_s / row["gpus"]),
                "mfu": speed / row["positions"] * model.flops / cluster.kind.peak["bfloat16"],
                "of memory": memory / cluster.kind.memory,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    frame = table_of(pd.read_csv(PUBLISHED))
    table = Table(title="GPU-hours, predicted over published", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("run", "GPUs", "layout", "memory", "MFU", "predicted", "published", "ratio", ""):
        table.add_column(name, justify="left" if name in ("run", "layout", "") else "right", no_wrap=True)
    for row in frame.to_dict("records"):
        layout = row["layout"]
        table.add_row(
            row["run"],
            f"{row['gpus']:,} {row['kind']}",
            layout.words + (", recomputed" if layout.recompute else ""),
            f"{row['memory'] / 1e9:.0f} GB",
            f"{row['mfu']:.0%}",
            f"{row['hours']:,.0f}",
            f"{row['published']:,.0f}",
            f"{row['ratio']:.2f}",
            "chosen on" if row["chosen on"] else "tested on",
        )
    console = Console(width=132)
    console.print(table)
    for tested in (False, True):
        group = frame[frame["chosen on"] != tested]
        console.print(_summary("tested on" if tested else "chosen on", group["run"], group["ratio"]), highlight=False)
    # What one number does alone: the same share of the peak for all.
    reached = frame["mfu"] * frame["ratio"]
    fixed = math.exp(np.log(reached[frame["chosen on"]]).mean())
    group = frame[~frame["chosen on"]]
    alone = _summary("tested on", group["run"], reached[group.index] / fixed)
    console.print(f"a fixed MFU of {fixed:.0%} instead: {alone}", highlight=False)
    speeds = speeds_of(pd.read_csv(SPEEDS))
    for kind, of_kind in speeds.groupby("kind"):
        ratio, mfu = np.log(of_kind["ratio"]), np.log(of_kind["mfu"])
        console.print(
            f"benchmarks on {len(of_kind)} x {kind}: measured over predicted speed {math.exp(ratio.mean()):.2f} "
            f"(standard deviation of its logarithm {ratio.std():.2f}, of measured speed over a fixed MFU "
            f"{mfu.std():.2f}); predicted memory {of_kind['of memory'].min():.0%} to {of_kind['of memory'].max():.0%} "
            "of the card's",
            highlight=False,
        )


def _summary(name: str, runs: pd.Series, ratio: pd.Series) -> str:
    off = np.exp(np.abs(np.log(ratio)))
    middle = math.exp(np.log(ratio).mean())
    return (
        f"{name} {len(ratio)}: geometric mean {middle:.2f}, off by a factor of {np.median(off):.2f} in the middle and "
        f"{off.max():.2f} at most ({runs[off.idxmax()]}), {(off <= 1.25).sum()} within 1.25, "
        f"{(off <= 1.5).sum()} within 1.5"
    )


if __name__ == "__main__":
    main()
