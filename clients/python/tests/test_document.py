"""The Python of the promised document, with the names and arguments that it uses, against a real server."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import server

CLIENT = """
from polarway import DistributedClient
# Connect to server
client = DistributedClient(
host="polarway-server.example.com",
port=50052,
timeout=30
)
# Health check
health = client.health_check()
print(f"Server status: {health}")
# Store data
import polars as pl
df = pl.DataFrame({
"symbol": ["BTC", "ETH", "SOL"],
"price": [50000, 3000, 100]
})
client.store("trades_20260203", df)
# Load data
loaded = client.load("trades_20260203")
print(loaded)
"""

# The frame that it stores lacks the column `timestamp`.
WITH_TIMESTAMP = """
df = df.with_columns(pl.lit("2026-02-03").str.to_datetime().alias("timestamp"))
client.store("trades_20260203", df)
"""

QUERY = '''
# Execute query
result = client.query("""
SELECT symbol, AVG(price) as avg_price
FROM parquet_scan('/data/cold/trades_*.parquet')
WHERE timestamp > '2026-02-01'
GROUP BY symbol
""")
print(result)
'''

PARALLEL = """
import asyncio
from polarway import AsyncDistributedClient
async def load_all():
    client = AsyncDistributedClient(host="localhost", port=50052)
    # Parallel loads
    results = await asyncio.gather(
    client.load("trades_20260203"),
    client.load("quotes_20260203"),
    client.load("orders_20260203")
    )
    return results
results = asyncio.run(load_all())
"""

BATCH = """
# Batch store (single RPC)
client.store_batch({
"trades_20260203": trades_df,
"quotes_20260203": quotes_df,
"orders_20260203": orders_df
})
"""

STREAM = """
# Stream large result in chunks
for batch in client.load_stream("huge_dataset"):
    process_batch(batch)
# Memory freed after each iteration
"""

SLOW = """
# Enable query timing
client = DistributedClient(host="localhost", port=50052, timeout=300)
# Check cache stats
stats = client.cache_stats()
print(f"Hit rate: {stats['hit_rate']:.1%}")
"""


class Document:
    """Runs parts of the document, with this machine's server in place of the document's."""

    def __init__(self, data: Path, address: str) -> None:
        port = address.rpartition(":")[2]
        self._here = {"polarway-server.example.com": "localhost", "50052": port, "/data/cold": str(data / "cold")}
        self.names: dict[str, Any] = {}

    def run(self, part: str) -> str:
        """Runs a part, and gives what it prints."""
        for promised, found in self._here.items():
            part = part.replace(promised, found)
        before = self.names.get("client")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(part, self.names)
        if before is not None and before is not self.names["client"]:
            before.close()
        return printed.getvalue()


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """The document, and a server for it."""
    with server.running(tmp_path) as address:
        document = Document(tmp_path, address)
        document.run(CLIENT)
        yield document
        document.names["client"].close()


def test_its_first_example_stores_loads_and_queries(document: Document) -> None:
    frame = pl.DataFrame({"symbol": ["BTC", "ETH", "SOL"], "price": [50000, 3000, 100]})
    assert document.names["loaded"].equals(frame)
    assert document.run(CLIENT) == f"Server status: OK\n{frame}\n"
    document.run(WITH_TIMESTAMP)
    document.run(QUERY)
    result = document.names["result"].sort("symbol")
    assert result.to_dict(as_series=False) == {"symbol": ["BTC", "ETH", "SOL"], "avg_price": [50000.0, 3000.0, 100.0]}


def test_its_examples_for_many_tables_and_large_ones_work(document: Document) -> None:
    frames = {name: pl.DataFrame({name: range(3)}) for name in ("trades", "quotes", "orders")}
    document.names.update({f"{name}_df": frame for name, frame in frames.items()})
    document.run(BATCH)
    document.run(PARALLEL)
    assert [frame.columns for frame in document.names["results"]] == [["trades"], ["quotes"], ["orders"]]

    huge = pl.DataFrame({"n": range(2_000_000)})
    document.names["client"].store("huge_dataset", huge)
    batches: list[pl.DataFrame] = []
    document.names["process_batch"] = batches.append
    document.run(STREAM)
    assert len(batches) > 2
    assert pl.concat(batches).equals(huge)


def test_its_advice_for_slow_queries_prints_the_hit_rate(document: Document) -> None:
    said = document.run(SLOW)
    assert said.startswith("Hit rate: ")
    assert said.endswith("%\n")
