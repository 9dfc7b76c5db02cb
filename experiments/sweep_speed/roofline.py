"""How much of a device's own rate of matrix products the training of a rung uses, and where the rest of the time goes.

    python experiments/sweep_speed/roofline.py --device cpu --widths 32,64 --members 4 --out FILE    (run.py calls this)

The rate is measured with the products of one training step, forward and backward, of the same shapes and precision and
for as many members. A rung's use is the model FLOPs of its steps, as the family counts them, a second, over that rate.
On a CPU both have one thread, as a worker of a sweep has.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from harness.config import compose
from harness.ladder import Job
from harness.sweeping.plan import cells
from harness.training.device import describe, resolve, synchronise
from harness.training.loop import training_steps
from harness.training.members import Stack

#: Steps before the clock starts, in which a step may be traced, compiled or captured.
WARM_UP = 12
PROFILED = 10
#: Operations named in a profile.
NAMED = 6


def products(job: Job) -> list[tuple[int, int, int, int]]:
    """(rows, inner, columns, how many) of the matrix products of a member's training step, attention's left out."""
    settings, shape = job.settings, job.rung.shape
    width, tokens = shape.width, settings.ladder.batch_size * settings.task.signature.context
    hidden = settings.family.hidden_width(width)
    layers = [(width, 3 * width), (width, width), (width, hidden), (hidden, width)]
    counted = [(*layer, shape.depth) for layer in layers] + [(width, settings.signature.n_outputs, 1)]
    return [
        product
        for inner, outer, times in counted
        for product in (
            (tokens, inner, outer, times),
            (tokens, outer, inner, times),
            (outer, tokens, inner, times),
        )
    ]


def product_rate(job: Job, device: torch.device, seconds: float) -> float:
    """FLOPs a second of a step's products one after the other, members as a batch of products."""
    dtype = torch.bfloat16 if job.settings.training.precision == "bfloat16" else torch.float32
    lead = (len(job.members),) if len(job.members) > 1 else ()
    found = products(job)
    flops = sum(2.0 * m * k * n * times for m, k, n, times in found) * len(job.members)
    spent = 0.0
    for m, k, n, times in found:
        a = torch.randn(*lead, m, k, device=device).to(dtype)
        b = torch.randn(*lead, k, n, device=device).to(dtype)
        spent += times * seconds_a_call(lambda a=a, b=b: a @ b, device, seconds / len(found))
    return flops / spent


def seconds_a_call(call: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Of calls that follow one another without waiting for the device, over about so many seconds."""
    for _ in range(WARM_UP // 4):
        call()
    synchronise(device)
    calls = 1
    while True:
        started = time.perf_counter()
        for _ in range(calls):
            call()
        synchronise(device)
        if (spent := time.perf_counter() - started) >= seconds / 2:
            return spent / calls
        calls = max(calls + 1, round(calls * min(10.0, seconds / max(spent, 1e-9))))


def use(job: Job, device: torch.device, seconds: float, rate: float, way: str) -> dict[str, Any]:
    """What training the members of a job takes a step, run in one of the ways, beside the rate of its products."""
    with torch.no_grad():
        steps = training_steps(job, Stack.of(job, device), device, way=way)
        started = time.perf_counter()
        for _ in range(WARM_UP):
            next(steps)
        synchronise(device)
        first = time.perf_counter() - started
        step_s = seconds_a_call(lambda: next(steps), device, seconds)
        profiled = where_time_goes(steps, device, step_s)
    flops = job.flops / job.steps * len(job.members)
    return {
        "width": job.rung.shape.width,
        "members": len(job.members),
        "way": way,
        "precision": job.settings.training.precision,
        "first_steps_s": first,
        "step_ms": 1e3 * step_s,
        "flops_per_s": flops / step_s,
        "products_flops_per_s": rate,
        "use": flops / step_s / rate,
        **profiled,
    }


def where_time_goes(steps: Iterator[torch.Tensor], device: torch.device, step_s: float) -> dict[str, Any]:
    """The share of a step in which the device is busy, and the operations that take most of that, as shares of it.

    On a CPU an operation's own time counts, so that what is left of a step is Python's.

    Args:
        step_s: seconds of a step without the profiler, whose own work is not to count.
    """
    on_card = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_card else [])
    with profile(activities=activities) as found:
        for _ in range(PROFILED):
            next(steps)
        synchronise(device)
    events = found.key_averages()
    if on_card:  # kernels alone: an operation that launches some would count them again
        events = [event for event in events if event.device_type == torch.autograd.DeviceType.CUDA]
    own = {event.key: event.self_device_time_total if on_card else event.self_cpu_time_total for event in events}
    total = sum(own.values())
    longest = sorted(own.items(), key=lambda item: item[1], reverse=True)[:NAMED]
    return {
        "busy": total / 1e6 / PROFILED / step_s,
        "operations": {name[:60]: round(spent / max(total, 1e-9), 3) for name, spent in longest},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", help="of the study, in Hydra's grammar")
    parser.add_argument("--widths", default="32,64,128,256")
    parser.add_argument("--members", type=int, default=4, help="side by side in a step")
    parser.add_argument("--ways", default="replayed", help="to run a step: replayed,compiled,captured")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=1.0, help="for the products of a rung, and for its steps")
    parser.add_argument("--out", type=Path, required=True, help="JSON")
    args = parser.parse_args()
    device = resolve(args.device)
    torch.set_num_threads(1)
    rungs = []
    for width in args.widths.split(","):
        own = (f"ladder.widths=[{width}]", "ladder.steps=1000000", f"seeds={args.members}")
        (study,) = compose(*args.settings, *own, f"training.device={device.type}")
        (job,) = cells(study)
        rate = product_rate(job, device, args.seconds)
        for way in args.ways.split(","):
            rungs.append(use(job, device, args.seconds, rate, way))
            args.out.write_text(json.dumps({"device": describe(device), "rungs": rungs}))


if __name__ == "__main__":
    main()
