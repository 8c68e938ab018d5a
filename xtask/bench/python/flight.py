"""An Arrow Flight server over the table: flight.py DATA PORT [CERTIFICATE KEY].

It keeps the table in memory in batches of 65,536 rows, prints its port, and serves until its input ends. `do_get` answers the
ticket `memory` with those batches, `small` with their first 1,000 rows, `wide` with another table of 1,000 columns, and `parquet`
with what it reads from the Parquet file for that call; `do_put` takes rows and drops them. With a certificate it speaks TLS.
"""

import sys
import threading
from functools import cached_property
from pathlib import Path

import pyarrow
import pyarrow.flight
import pyarrow.ipc
import pyarrow.parquet

from wide import wide_table

DATA = Path(sys.argv[1])
BATCH_ROWS = 65_536


class Server(pyarrow.flight.FlightServerBase):
    def __init__(self):
        if len(sys.argv) > 3:
            pair = tuple(Path(path).read_bytes() for path in sys.argv[3:5])
            super().__init__(f"grpc+tls://127.0.0.1:{sys.argv[2]}", tls_certificates=[pair])
        else:
            super().__init__(f"grpc://127.0.0.1:{sys.argv[2]}")
        with pyarrow.ipc.open_file(DATA / "table.arrow") as reader:
            table = reader.read_all()
        self.schema = table.schema
        self.batches = table.combine_chunks().to_batches(max_chunksize=BATCH_ROWS)

    @cached_property
    def wide(self):
        return wide_table()

    def do_get(self, context, ticket):
        if ticket.ticket == b"parquet":
            table = pyarrow.parquet.read_table(DATA / "table.parquet")
            return pyarrow.flight.GeneratorStream(table.schema, table.to_batches(max_chunksize=BATCH_ROWS))
        if ticket.ticket == b"wide":
            return pyarrow.flight.RecordBatchStream(self.wide)
        batches = [self.batches[0].slice(0, 1000)] if ticket.ticket == b"small" else self.batches
        return pyarrow.flight.RecordBatchStream(pyarrow.RecordBatchReader.from_batches(self.schema, batches))

    def do_put(self, context, descriptor, reader, writer):
        for _ in reader:
            pass


server = Server()
print(server.port, flush=True)
threading.Thread(target=server.serve, daemon=True).start()
sys.stdin.read()
