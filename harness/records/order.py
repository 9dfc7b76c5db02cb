"""The order of the tables' rows, which makes the same runs the same bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

#: Columns by which the rows of each table are sorted.
ORDER = {
    "runs": ("study", "rung", "duration", "lr", "seed", "run_id"),
    "measurements": ("run_id", "split", "metric", "subtask", "step"),
}


def measurements_in_order(numbers: pa.Table) -> pa.Table:
    """Rows of measurements, text as in `reading.ENCODED`, in the order of the table; equal ones stay as they are."""
    keys = [ranks(numbers.column(name)) for name in ORDER["measurements"][:-1]]
    keys.append(numbers.column("step").to_numpy())
    is_sorted = np.ones(max(numbers.num_rows - 1, 0), dtype=bool)
    for key in reversed(keys):
        is_sorted = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & is_sorted)
    # The last key of lexsort is the first to sort by.
    return numbers if is_sorted.all() else numbers.take(pa.array(np.lexsort(keys[::-1])))


def ranks(column: pa.ChunkedArray) -> np.ndarray:
    """(n,) the place of each text of an encoded column among its distinct ones in order."""
    chunks = in_sorted_code(column).chunks
    return np.concatenate([np.zeros(0, dtype=np.int32), *(chunk.indices.to_numpy() for chunk in chunks)])


def in_sorted_code(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """An encoded column with one dictionary for all chunks, in order: then the same cells are the same bytes."""
    chunks = (column.unify_dictionaries() if column.num_chunks > 1 else column).chunks
    if not chunks or len(chunks[0].dictionary) < 2:
        return pa.chunked_array(chunks, column.type)
    dictionary = chunks[0].dictionary
    order = np.argsort(np.asarray(dictionary.to_pylist(), dtype=object), kind="stable")
    if (order[1:] > order[:-1]).all():
        return pa.chunked_array(chunks)
    code = pa.array(np.argsort(order).astype(np.int32))
    dictionary = dictionary.take(pa.array(order))
    return pa.chunked_array([pa.DictionaryArray.from_arrays(code.take(chunk.indices), dictionary) for chunk in chunks])
