"""The pages for users: their Python runs, one block after the other, and prints what the pages say."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import polars as pl
import pytest

import server

ROOT = Path(__file__).parents[3]
PAGES = [
    ROOT / "clients" / "python" / "README.md",
    ROOT / "docs" / "python.md",
    *sorted((ROOT / "docs" / "python").glob("*.md")),
]
# The pictures that pages draw.
PICTURES = ROOT / "docs" / "python"

# A block of Python, and what it prints, if it prints something.
BLOCK = re.compile(r"(```python\n(?P<code>.*?)```\n)(?:\n```text\n(?P<output>.*?)```\n)?", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {}

    def with_output(block: re.Match[str]) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), pl.Config(fmt_str_lengths=40):
            exec(compile(block["code"], page.name, "exec"), names)
        said = "\n".join(line.rstrip() for line in printed.getvalue().splitlines())
        return block[1] + (f"\n```text\n{said}\n```\n" if said else "")

    folder = tmp_path / "tables"
    shutil.copytree(ROOT / "examples" / "data" / "nycflights13", folder)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    with server.running(tmp_path / "data") as address:
        monkeypatch.setenv("POLARWAY_URL", f"http://{address}")
        monkeypatch.chdir(folder)
        try:
            executed = BLOCK.sub(with_output, text)
        finally:
            if "client" in names:
                names["client"].close()
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(executed, encoding="utf-8")
    assert executed == text, "UPDATE_DOCS=1 writes what is printed into the page"
    for picture in folder.glob("*.png"):
        if os.environ.get("UPDATE_DOCS"):
            shutil.copy(picture, PICTURES)
        drawn, kept = (matplotlib.image.imread(file) for file in (picture, PICTURES / picture.name))
        assert drawn.shape == kept.shape
        # Fonts may differ a little from machine to machine.
        assert abs(drawn - kept).mean() < 0.02, f"UPDATE_DOCS=1 writes {picture.name} anew"
