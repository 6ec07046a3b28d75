"""A node installs the exporter alone: few wheels, all pinned and hashed, and none that a node has no use for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
FEW = 20
UNWANTED = {"psycopg", "psycopg-binary", "dash", "numpy", "uvicorn", "flask", "rich", "gigawatch-database"}


def run(*words: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)


def done(*words: str | Path) -> str:
    found = run(*words)
    assert found.returncode == 0, f"{words}: {found.stdout}{found.stderr}"
    return found.stdout


@pytest.fixture(scope="module")
def uv() -> Path:
    """The installer of this environment, or the system's."""
    beside = Path(sys.executable).with_name("uv")
    found = beside if beside.exists() else shutil.which("uv")
    if not found:
        pytest.skip("uv is not installed")
    return Path(found)


@pytest.fixture(scope="module")
def alone(uv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the exporter and what it needs, from wheels and pinned hashes."""
    folder = tmp_path_factory.mktemp("node")
    wheels: Sequence[Path] = ()
    for part in ("contract", "exporters"):
        done(
            uv, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, ROOT / part
        )
        wheels = sorted(folder.glob("*.whl"))
    assert len(wheels) == 2
    python = folder / "venv" / "bin" / "python"
    done(uv, "venv", "-q", "--python", sys.executable, folder / "venv")
    install = (uv, "pip", "install", "-q", "--python", python)
    done(*install, "--require-hashes", "-r", ROOT / "requirements" / "exporter.txt")
    done(*install, "--no-deps", "--no-index", *wheels)
    done(uv, "pip", "check", "-q", "--python", python)
    return python.parent


def test_it_brings_few_wheels_and_none_of_the_database_pages_or_arrays(uv: Path, alone: Path) -> None:
    lines = done(uv, "pip", "freeze", "-q", "--python", alone / "python").splitlines()
    installed = {line.partition("==")[0].partition(" @")[0] for line in lines}
    assert {"gigawatch-contract", "gigawatch-exporters", "nvidia-ml-py", "opentelemetry-sdk"} <= installed
    assert not installed & UNWANTED
    assert len(installed) <= FEW, sorted(installed)


def test_it_teaches_itself(alone: Path) -> None:
    text = done(alone / "gigawatch-exporter", "--help")
    assert "--endpoint" in text
    assert "GIGAWATCH_EXPORTER_FACTORY" in text


def test_every_module_of_the_daemon_imports_there(alone: Path) -> None:
    package = ROOT / "exporters" / "gigawatch_exporters"
    names = [path.stem for path in package.glob("*.py") if path.stem != "__init__"]
    done(alone / "python", "-I", "-c", "; ".join(f"import gigawatch_exporters.{name}" for name in names))


def test_without_a_driver_it_says_what_to_do(alone: Path, tmp_path: Path) -> None:
    empty = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    found = run(
        alone / "gigawatch-exporter", "--factory", "jaif", "--library", "libnone.so.1", "--once", environment=empty
    )
    assert found.returncode == 2
    assert found.stderr == (
        "gigawatch-exporter: library: libnone.so.1: cannot open shared object file: No such file or directory\n"
    )
