"""The wide table of the benchmarks: 1,000 columns of 64 bits, the same each time."""

import polars

COLUMNS = 1_000
ROWS = 40_000


def wide_table():
    """It as a `pyarrow.Table`, 320 MB."""
    numbers = polars.int_range(ROWS, eager=True)
    columns = {f"c{column}": numbers.hash(seed=column).cast(polars.Int64, wrap_numerical=True) for column in range(COLUMNS)}
    return polars.DataFrame(columns).to_arrow()
