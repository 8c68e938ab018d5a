"""Generates the table that `cargo xtask bench` measures with: generate.py ROWS FOLDER.

Eight columns, 64 bytes a row in Arrow, the same rows each time: a Parquet file (ZSTD 3, a million rows per row group), an
Arrow IPC file, and facts.json.
"""

import json
import sys
from pathlib import Path

import numpy
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

BATCH_ROWS = 1_000_000
SEED = 20131013
SYMBOLS = pyarrow.array([f"SYM{number:04}.NYSE" for number in range(1000)])
START = numpy.datetime64("2026-01-01", "us").astype(numpy.int64)


def batch(random, first_row, rows):
    price = 100 * numpy.exp(numpy.cumsum(random.normal(0, 1e-4, rows)))
    volume = random.lognormal(4, 1, rows)
    # A few symbols trade often and most of them rarely.
    symbol = (random.random(rows) ** 3 * len(SYMBOLS)).astype(numpy.int32)
    time = START + (first_row + numpy.arange(rows)) * 1000 + random.integers(0, 1000, rows)
    return pyarrow.record_batch(
        {
            "id": numpy.arange(first_row, first_row + rows, dtype=numpy.int64),
            "account": random.integers(0, 1 << 40, rows, dtype=numpy.int64),
            "quantity": random.integers(1, 1000, rows, dtype=numpy.int32),
            "venue": random.integers(0, 16, rows, dtype=numpy.int32),
            "price": price,
            "volume": volume,
            "symbol": SYMBOLS.take(pyarrow.array(symbol)),
            "time": pyarrow.array(time, pyarrow.timestamp("us")),
        }
    )


def main():
    rows, folder = int(sys.argv[1]), Path(sys.argv[2])
    random = numpy.random.default_rng(SEED)
    firsts = range(0, rows, BATCH_ROWS)
    table = pyarrow.Table.from_batches(batch(random, first, min(BATCH_ROWS, rows - first)) for first in firsts)
    pyarrow.parquet.write_table(
        table, folder / "table.parquet", compression="zstd", compression_level=3, row_group_size=BATCH_ROWS
    )
    with pyarrow.ipc.new_file(folder / "table.arrow", table.schema) as writer:
        writer.write_table(table)
    (folder / "facts.json").write_text(json.dumps({"rows": table.num_rows, "arrow_bytes": table.nbytes}))


main()
