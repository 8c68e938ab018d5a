"""What users install."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import polarway
from polarway import DistributedClient

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


def test_the_sdist_builds_the_same_wheel(distributions: Path, tmp_path: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    built = tmp_path / "built"
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)], unpacked)
    first, second = (zipfile.ZipFile(next(folder.glob("*.whl"))) for folder in (distributions, built))
    with first, second:
        assert first.namelist() == second.namelist()
        assert all(first.read(name) == second.read(name) for name in first.namelist())


@pytest.fixture(scope="module")
def installed(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and for it only what these tests have of its requirements."""
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder)
    python = folder / "bin" / "python"
    (wheel,) = distributions.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    run([*pip, str(wheel)], folder)
    packages = Path(run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip())
    theirs = folder / "requirements"
    theirs.mkdir()
    for requirement in requirements():
        for file in importlib.metadata.files(requirement.name) or ():
            top = file.parts[0]
            if ".." not in file.parts and not (theirs / top).exists():
                place = str(importlib.metadata.distribution(requirement.name).locate_file(top))
                (theirs / top).symlink_to(place)
    (packages / "requirements.pth").write_text(f"{theirs}\n")
    return python


def requirements() -> list[Requirement]:
    """What the package needs, with what that needs in turn."""
    needed = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    found: dict[str, Requirement] = {}
    while needed:
        requirement = Requirement(needed.pop())
        if requirement.name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found[requirement.name] = requirement
            needed += importlib.metadata.requires(requirement.name) or []
    return list(found.values())


def run(command: list[str], folder: Path) -> str:
    """Runs a program, and gives what it prints."""
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=120, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_is_installed_and_imported_in_an_environment_of_its_own(installed: Path) -> None:
    script = (
        "import polarway; print(polarway.__file__)\n"
        "from polarway._incoming import incoming; from polarway._outgoing import outgoing; import polars as pl\n"
        "table = outgoing(pl.DataFrame({'n': [1, None]}))\n"
        "target = incoming('polars', table.schema)\n"
        "print(target.joined([target.piece(list(table.batches()))])['n'].to_list())\n"
    )
    place, values = run([str(installed), "-I", "-c", script], installed.parent).splitlines()
    assert Path(place).is_relative_to(installed.parents[1])
    assert values == "[1, None]"


def test_frames_of_pandas_need_pandas_and_nothing_else_does(installed: Path) -> None:
    script = (
        "import polarway\n"
        "client = polarway.DistributedClient('localhost', 1)\n"
        "try: client.load('flights', as_='pandas')\n"
        "except polarway.InvalidInput as error: print(error)"
    )
    said = run([str(installed), "-I", "-c", script], installed.parent)
    assert said.strip() == 'as_="pandas" needs the package pandas, which is not installed'


def test_the_requirements_that_are_declared_are_met_by_what_is_tested() -> None:
    for requirement in requirements():
        assert requirement.specifier.contains(importlib.metadata.version(requirement.name))


def test_the_import_is_short(installed: Path) -> None:
    script = (
        "import time; begin = time.process_time(); import polars, pyarrow, grpc\n"
        "between = time.process_time(); import polarway; end = time.process_time(); import sys\n"
        "print(between - begin, end - between, *(name for name in sys.modules if '.' not in name))"
    )
    theirs, ours, *modules = run([str(installed), "-I", "-c", script], installed.parent).split()
    # They take about 0.3 s; the load on this machine slows both down.
    assert float(ours) < float(theirs)
    assert not {"pandas", "matplotlib", "duckdb", "cloudpickle", "google"} & set(modules)


# What users read


def test_the_reference_has_every_public_thing_with_its_documentation(tmp_path: Path) -> None:
    pdoc = [sys.executable, "-W", "error", "-m", "pdoc", "--docformat", "google", "-o", str(tmp_path)]
    run([*pdoc, str(PROJECT / "src" / "polarway")], tmp_path)
    page = (tmp_path / "polarway.html").read_text(encoding="utf-8")
    for name in polarway.__all__:
        thing = getattr(polarway, name)
        assert f'id="{name}"' in page
        for member in vars(thing) if inspect.isclass(thing) else ():
            assert member.startswith("_") or f'id="{name}.{member}"' in page, f"{name}.{member}"


def arguments(callable_: Any) -> list[str]:
    """The arguments of a method, as a caller names them."""
    parameters = inspect.signature(callable_).parameters.values()
    return [parameter.name for parameter in parameters if parameter.name not in ("self", "cls")]


@pytest.mark.parametrize("kind", [DistributedClient, polarway.Handle, polarway.LazyQuery])
def test_the_documentation_of_a_method_has_its_arguments_its_result_and_its_errors(kind: type[Any]) -> None:
    for name, method in vars(kind).items():
        if name.startswith("_") or not inspect.isfunction(method):
            continue
        documentation = inspect.getdoc(method) or ""
        # One argument may be explained by the first sentence.
        described = [argument for argument in arguments(method) if f"{argument}:" in documentation]
        is_elsewhere = "The arguments are those of" in documentation
        assert is_elsewhere or len(arguments(method)) < 2 or described == arguments(method), f"{name}: {described}"
        assert "Raises:" in documentation or name in ("close", "lazy", "drop"), name


def test_no_protobuf_is_imported(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(PROJECT / 'src')!r}); import polarway, polarway._failure; "
        "print([name for name in sys.modules if name.startswith('google.protobuf')])"
    )
    run = [sys.executable, "-I", "-c", script]
    output = subprocess.run(run, check=True, capture_output=True, timeout=120, text=True, cwd=tmp_path).stdout
    assert output.strip() == "[]"
