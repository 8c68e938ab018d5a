"""What users install."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("distributions")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True, timeout=120)
    return folder


def modules() -> set[str]:
    """The files of the package, from the folder above it."""
    source = PROJECT / "src"
    paths = (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(source).as_posix() for path in paths}


def test_the_wheel_has_the_package_with_its_types_and_nothing_else(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert "polarway/py.typed" in packed
    assert packed == modules()


def test_the_sdist_has_what_the_wheel_is_built_from(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in modules()} <= packed
    assert {"pyproject.toml", "README.md", "PKG-INFO"} <= packed


def test_the_wheel_is_installed_and_imported_from_its_own_place(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(tmp_path)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=120)
    # Without the folder of the sources, and without what the environment of these tests has by itself.
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import polarway; print(polarway.__file__)"
    run = [sys.executable, "-I", "-c", script]
    output = subprocess.run(run, check=True, capture_output=True, timeout=120, text=True, cwd=tmp_path).stdout
    assert Path(output.strip()).is_relative_to(tmp_path)


def test_no_protobuf_is_imported(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(PROJECT / 'src')!r}); import polarway, polarway._failure; "
        "print([name for name in sys.modules if name.startswith('google.protobuf')])"
    )
    run = [sys.executable, "-I", "-c", script]
    output = subprocess.run(run, check=True, capture_output=True, timeout=120, text=True, cwd=tmp_path).stdout
    assert output.strip() == "[]"
