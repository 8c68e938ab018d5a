"""Generates TPC-H or TPC-DS with DuckDB's extensions: tpc.py tpch|tpcds SCALE FOLDER.

One Parquet file per table and queries/NN.sql. For TPC-H also answers/NN.csv with `|` between the fields, where answers are
published for the scale; the extension for TPC-DS can't give its own.
"""

import importlib
import sys
from pathlib import Path

import duckdb

GENERATORS = {"tpch": "dbgen", "tpcds": "dsdgen"}


def main():
    suite, scale, folder = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    # The package brings the extension as a file, whose signature DuckDB knows only under its own name and place.
    package = importlib.import_module(f"duckdb_extension_{suite}")
    (extension,) = Path(package.__path__[0]).glob(f"extensions/*/{suite}.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"CALL {GENERATORS[suite]}(sf = {scale})")
    for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
        connection.execute(f"COPY {table} TO '{folder / table}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    write_all(folder / "queries", "sql", connection.execute(f"SELECT query_nr, query FROM {suite}_queries()"))
    if suite == "tpch":
        answers = "SELECT query_nr, answer FROM tpch_answers() WHERE scale_factor = ?"
        write_all(folder / "answers", "csv", connection.execute(answers, [scale]))


def write_all(folder, extension, result):
    folder.mkdir()
    for number, text in result.fetchall():
        (folder / f"{number:02}.{extension}").write_text(text, encoding="utf-8")


main()
