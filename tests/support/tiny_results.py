"""The results folder of `command.TINY`, and records in it that another version of the code might have left."""

from __future__ import annotations

from pathlib import Path

from piece_files import recorded_numbers, recorded_run

from harness.records.writer import write_run

RESULTS = Path("results/tiny")


def record_otherwise(run_id: str, **changes: object) -> None:
    """Change columns of a recorded run, as another version of the code would have written them."""
    row, numbers = recorded_run(RESULTS, run_id), recorded_numbers(RESULTS, run_id)
    if "flops" in changes:
        share = changes["flops"] / row["flops"]  # type: ignore[operator]
        at = numbers.schema.get_field_index("flops")
        numbers = numbers.set_column(
            at, numbers.schema.field("flops"), [[f * share for f in numbers["flops"].to_pylist()]]
        )
    assert write_run(RESULTS, row | changes, numbers)


def pieces() -> dict[str, bytes]:
    """Every piece in results/tiny."""
    return {path.name: path.read_bytes() for path in sorted(RESULTS.glob("pieces/*.parquet"))}
