"""Tables that tests load."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_000_000

BIG = pa.table(
    {
        "n": pa.array(range(ROWS), pa.int64()),
        "word": pa.array([f"word {number % 100}" for number in range(ROWS)]).dictionary_encode(),
        "half": pa.array([None if number % 7 == 0 else number / 2 for number in range(ROWS)]),
    }
)
EMPTY = pa.schema({"n": pa.int64(), "words": pa.list_(pa.string())}).empty_table()
WIDE = pa.table({f"c{number}": pa.array([number, number + 1], pa.int32()) for number in range(1_000)})


def put(data: Path) -> None:
    """Makes them datasets of a server that starts later, as files of another program."""
    (data / "cold").mkdir()
    for name, table in {"big": BIG, "empty": EMPTY, "wide": WIDE}.items():
        pq.write_table(table, data / "cold" / f"{name}.parquet")
