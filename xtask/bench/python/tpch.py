"""Generates TPC-H with DuckDB's extension: tpch.py SCALE FOLDER.

One Parquet file per table, queries/NN.sql, and answers/NN.csv with `|` between the fields, where answers are published for
the scale.
"""

import sys
from pathlib import Path

import duckdb
import duckdb_extension_tpch


def main():
    scale, folder = float(sys.argv[1]), Path(sys.argv[2])
    # The package brings the extension as a file, whose signature DuckDB knows only under its own name and place.
    (extension,) = Path(duckdb_extension_tpch.__path__[0]).glob("extensions/*/tpch.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"CALL dbgen(sf = {scale})")
    for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
        connection.execute(f"COPY {table} TO '{folder / table}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    write_all(folder / "queries", "sql", connection.execute("SELECT query_nr, query FROM tpch_queries()"))
    answers = "SELECT query_nr, answer FROM tpch_answers() WHERE scale_factor = ?"
    write_all(folder / "answers", "csv", connection.execute(answers, [scale]))


def write_all(folder, extension, result):
    folder.mkdir()
    for number, text in result.fetchall():
        (folder / f"{number:02}.{extension}").write_text(text, encoding="utf-8")


main()
