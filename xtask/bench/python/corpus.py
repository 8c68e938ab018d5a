"""Reads every Parquet and Arrow file of a folder through Polarway, beside pyarrow, DuckDB and polars, and prints a table.

Usage: corpus.py POLARWAY FOLDER SCRATCH

Each file is stored and loaded, stored and asked for with SQL, and, if it is Parquet, adopted and loaded, adopted and asked. In the
table, readers whose rows have the same letter read the same. A file fails if Polarway reads it otherwise than most of the others,
if SQL does not work afterwards, or if Polarway refuses what pyarrow and another read without naming what it is that it refuses.
"""

import os
import pickle
import re
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa

from corpus_values import columns

PATIENCE = 60
PEERS = ["pyarrow", "duckdb", "polars"]
OURS = ["stored, loaded", "stored, asked", "adopted, loaded", "adopted, asked"]
MOST_ROWS = 1_000_000
MOST_OUTPUT = 1 << 30

# What a refusal may name though others read the file: they read another thing than what was written, or did not look.
NAMED_CAUSES = re.compile(
    "VARIANT|INT96|[Ee]ncrypt|checksum|in big-endian order|which Parquet can't hold without loss"
    "|can't be read by SQL: it holds|holds a duration of more than"
)
# Of files that are malformed on purpose it is enough to say so.
MALFORMED_ON_PURPOSE = re.compile("fuzz|malformed")
MALFORMED = re.compile("corrupt|malformed")


def kind_of(path):
    """What a file is, by its first bytes, and for inputs of fuzzers by what they were made for."""
    with open(path, "rb") as file:
        start = file.read(6)
    name = str(path)
    if start[:4] in (b"PAR1", b"PARE") or name.endswith((".parquet", ".parquet.encrypted")):
        return "parquet"
    if start == b"ARROW1" or "ipc-file-fuzz" in name or name.endswith((".arrow_file", ".feather")):
        return "arrow file"
    if start[:4] == b"\xff\xff\xff\xff" or "ipc-stream-fuzz" in name or name.endswith((".stream", ".arrows")):
        return "arrow stream"
    return None


class Peer:
    """A peer's process, which is started again when a file ended it."""

    def __init__(self, name):
        self.name = name
        self.process = None

    def read(self, path, kind):
        if self.process is None:
            script = Path(__file__).with_name("corpus_reader.py")
            command = [sys.executable, str(script), self.name]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        self.process.stdin.write(f"{path}\t{kind}\n".encode())
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            self.process.kill()
            return self.ended("took too long")
        head = self.process.stdout.read(8)
        if len(head) < 8:
            return self.ended("crashed")
        return pickle.loads(self.process.stdout.read(int.from_bytes(head, "little")))

    def ended(self, how):
        self.process.wait()
        code = self.process.returncode
        self.process = None
        return f"it {how} ({signal.Signals(-code).name if code < 0 else code})"

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


class Polarway:
    """A server over an empty folder, and the command."""

    def __init__(self, program, scratch):
        self.program, self.scratch = program, scratch
        self.adopted = 0
        self.cold = scratch / "data" / "cold"
        self.start()

    def start(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("POLARWAY_")}
        shutil.rmtree(self.scratch / "data", ignore_errors=True)
        self.cold.mkdir(parents=True)
        log = open(self.scratch / "server.log", "ab")
        command = [self.program, "server", "--bind", "127.0.0.1:0"]
        command += ["--parquet-path", str(self.cold)]
        self.server = subprocess.Popen(
            command, cwd=self.scratch, env=environment, stdout=log, stderr=subprocess.PIPE, text=True
        )
        for line in self.server.stderr:
            if "listening on " in line:
                address = line.strip().rsplit("listening on ", 1)[1]
                break
        else:
            raise SystemExit("the server did not start")
        # Nobody reads what it logs from here on, and it must not wait for that.
        self.sink = subprocess.Popen(["cat"], stdin=self.server.stderr, stdout=log)
        self.environment = environment | {"POLARWAY_URL": f"http://{address}"}

    def stop(self):
        self.server.kill()
        self.server.wait()
        self.server.stderr.close()
        self.sink.wait()

    def run(self, *arguments):
        """What the command printed, into a file, or the line that it failed with."""
        output = self.scratch / "output"
        with open(output, "wb") as file:
            try:
                done = subprocess.run(
                    [self.program, *arguments],
                    cwd=self.scratch,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.PIPE,
                    timeout=PATIENCE,
                )
            except subprocess.TimeoutExpired:
                return None, f"it took longer than {PATIENCE} s"
        said = " ".join(done.stderr.decode(errors="replace").split())
        if done.returncode == 0:
            return output, None
        is_told = done.returncode == 1 and done.stderr.startswith(b"error: ")
        return None, said if is_told else f"it ended with {done.returncode}: {said}"

    def rows(self, *arguments):
        output, error = self.run(*arguments, "--format", "arrow")
        if error is not None:
            return error
        if output.stat().st_size > MOST_OUTPUT:
            return (None, None)
        with pa.OSFile(str(output)) as file:
            table = pa.ipc.open_stream(file).read_all()
        return (table.num_rows, columns(table) if table.num_rows <= MOST_ROWS else None)

    def read(self, path, kind):
        """What each of our ways makes of a file."""
        file_format = "parquet" if kind == "parquet" else "arrow"
        _, error = self.run("store", "stored", str(path), "--format", file_format)
        if error is not None:
            found = [error, error]
        else:
            found = [self.rows("load", "stored"), self.rows("query", "FROM stored")]
        self.run("rm", "--purge", "stored")
        if kind != "parquet":
            return [*found, None, None]
        # Under a name of its own: what is known of a file before it must not matter.
        self.adopted += 1
        name = f"adopted_{self.adopted}"
        adopted = self.cold / f"{name}.parquet"
        shutil.copyfile(path, adopted)
        found += [self.rows("load", name), self.rows("query", f"FROM {name}")]
        adopted.unlink()
        return found

    def is_well(self):
        output, error = self.run("query", "SELECT 42 AS n", "--format", "csv")
        return error is None and output.read_bytes() == b"n\n42\n" and self.run("ls")[1] is None


def digest(found):
    """What is compared: the rows, and the values by column. The names of columns too, unless two have the same."""
    rows, values = found
    if values is None:
        return (rows, None)
    names = [name for name, _ in values]
    is_plain = len({name.lower() for name in names}) == len(names)
    return (rows, tuple(names) if is_plain else None, repr([column for _, column in values]))


def difference(ours, theirs):
    """Where two tables differ first."""
    if ours[0] != theirs[0]:
        return f"{ours[0]} rows, not {theirs[0]}"
    if ours[1] is None or theirs[1] is None:
        return "too many rows to look at"
    names = [[name for name, _ in found[1]] for found in (ours, theirs)]
    if len(names[0]) != len(names[1]):
        return f"the columns {names[0]}, not {names[1]}"
    for (name, mine), (_, other) in zip(ours[1], theirs[1]):
        for row, (one, another) in enumerate(zip(mine, other)):
            if repr(one) != repr(another):
                return f"column {name!r}, row {row}: {one!r:.80}, not {another!r:.80}"
    return f"the columns {names[0]}, not {names[1]}"


class Verdict:
    def __init__(self, path, kind, peers, ours, is_well):
        self.path, self.kind, self.found = path, kind, [*peers, *ours]
        self.failures, self.remarks = [], []
        letters = {}
        digests = [digest(found) if isinstance(found, tuple) else None for found in self.found]
        for each in digests:
            if each is not None:
                letters.setdefault(each, chr(ord("A") + len(letters)))
        self.cells = [self.cell(found, letters.get(each)) for found, each in zip(self.found, digests)]
        read = [each for each in digests[: len(PEERS)] if each is not None]
        [(most, votes)] = Counter(read).most_common(1) or [(None, 0)]
        others = "duckdb" if kind == "parquet" else "polars"
        both_read = all(isinstance(peers[PEERS.index(name)], tuple) for name in ("pyarrow", others))
        for way, found, each in zip(OURS, ours, digests[len(PEERS) :]):
            # What could not be stored was told already.
            if found is None or (way == OURS[1] and found is ours[0]):
                continue
            if each is None:
                causes = MALFORMED if MALFORMED_ON_PURPOSE.search(path.name) else NAMED_CAUSES
                is_named = causes.search(found) is not None
                into = self.failures if both_read and not is_named else self.remarks
                into.append(f"{way}: refused: {found}")
            elif read and each != most:
                peer = peers[digests.index(most)]
                into = self.failures if votes > 1 and each not in read else self.remarks
                into.append(f"{way}: {difference(found, peer)}")
        for name, found in zip(PEERS, peers):
            if isinstance(found, str):
                self.remarks.append(f"{name}: {found}")
        if not is_well:
            self.failures.insert(0, "SQL does not work after it")

    @staticmethod
    def cell(found, letter):
        if found is None:
            return "–"
        return "refused" if letter is None else f"{found[0]} rows {letter}"

    def word(self):
        if self.failures:
            return "FAILED"
        return "ok" if all("refused" not in cell for cell in self.cells[len(PEERS) :]) else "refused"


def print_table(verdicts, folder):
    rows = [["file", *PEERS, *OURS, "verdict"]]
    for verdict in verdicts:
        rows.append([str(verdict.path.relative_to(folder)), *verdict.cells, verdict.word()])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def print_remarks(verdicts, folder):
    for verdict in verdicts:
        said = [f"  FAILED {line}" for line in verdict.failures] + [f"  {line}" for line in verdict.remarks]
        if said:
            print(f"\n{verdict.path.relative_to(folder)}")
            print("\n".join(line[:400] for line in said))


def main():
    program, folder, scratch = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3])
    files = [(path, kind_of(path)) for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [(path, kind) for path, kind in files if kind is not None]
    if not files:
        raise SystemExit(f"{folder} holds no Parquet and no Arrow file")
    peers = [Peer(name) for name in PEERS]
    polarway = Polarway(program, scratch)
    verdicts = []
    for number, (path, kind) in enumerate(files, 1):
        if number % 50 == 0:
            print(f"corpus: {number} of {len(files)} files", file=sys.stderr)
        theirs = [peer.read(path, kind) for peer in peers]
        ours = polarway.read(path, kind)
        is_well = polarway.is_well()
        if not is_well:
            polarway.stop()
            polarway.start()
        verdicts.append(Verdict(path, kind, theirs, ours, is_well))
    polarway.stop()
    for peer in peers:
        peer.close()
    print_table(verdicts, folder)
    print_remarks(verdicts, folder)
    failed = sum(bool(verdict.failures) for verdict in verdicts)
    counts = Counter(verdict.word() for verdict in verdicts)
    print(f"\ncorpus: {len(verdicts)} files: {counts['ok']} read, {counts['refused']} refused, {failed} failed")
    sys.exit(1 if failed else 0)


main()
