"""The house keeps its rules: who may import whom, what each distribution carries, what no file may say."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch.cli import COMMANDS, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PARTS = ("contract", "exporters", "collector", "database", "programme", "dashboards", "alerts")
MAY_IMPORT = {
    "contract": set[str](),
    "exporters": {"contract"},
    "database": {"contract"},
    "collector": {"contract", "database"},
    "programme": {"contract", "database"},
    "dashboards": {"contract", "database"},
    "alerts": {"contract", "database"},
}


def package(part: str) -> Path:
    return ROOT / part / f"gigawatch_{part}"


def project(part: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / part / "pyproject.toml").read_text("utf-8"))["project"]


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, at whatever depth, and the lines where."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            yield node.module or "", node.lineno


def imported(part: str) -> dict[str, str]:
    """The top-level modules that a part imports, each with a place."""
    return {
        name.partition(".")[0]: f"{file.relative_to(ROOT)}:{line}"
        for file in sorted(package(part).rglob("*.py"))
        for name, line in imports(file)
    }


def names_of(requirements: list[str]) -> set[str]:
    """The distributions that requirements name: `gigawatch-database[embedded]>=1` is gigawatch-database."""
    return {normal(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in requirements}


def normal(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(part: str) -> set[str]:
    """The distributions that a part depends on, those of the parts that it depends on included."""
    facts = project(part)
    own = names_of(
        [*facts.get("dependencies", []), *chain.from_iterable(facts.get("optional-dependencies", {}).values())]
    )
    return own.union(*(declared(name.removeprefix("gigawatch-")) for name in own if name.startswith("gigawatch-")))


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Every text file that is, or would be, in a commit."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout, so what a commit would hold is not known")
    found = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return [file for file in found if b"\0" not in file.read_bytes()[:1024]]


def lines_with(pattern: str, files: list[Path]) -> list[str]:
    """The places where a pattern stands."""
    wanted = re.compile(pattern)
    return [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        if wanted.search(line)
    ]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_the_parts_that_it_may(part: str) -> None:
    found = imported(part)
    crossed = {
        name: place
        for name, place in found.items()
        if name == "gigawatch"
        or (name.startswith("gigawatch_") and name.removeprefix("gigawatch_") not in {part, *MAY_IMPORT[part]})
    }
    assert crossed == {}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_declares_what_it_imports(part: str) -> None:
    providers = packages_distributions()
    undeclared = {
        name: place
        for name, place in imported(part).items()
        if name not in sys.stdlib_module_names
        and name != f"gigawatch_{part}"
        and declared(part).isdisjoint(map(normal, providers.get(name, [name])))
    }
    assert undeclared == {}


def test_only_one_module_touches_nvml() -> None:
    assert {
        file.relative_to(ROOT).as_posix()
        for part in (*PARTS, ".")
        for file in (package(part) if part != "." else ROOT / "gigawatch").rglob("*.py")
        for name, _ in imports(file)
        if name.partition(".")[0] == "pynvml"
    } == {"exporters/gigawatch_exporters/nvml.py"}


def test_a_node_needs_no_numpy_only_the_simulator_does() -> None:
    simulator = package("exporters") / "simulator"
    users = [
        file.relative_to(ROOT).as_posix()
        for file in package("exporters").rglob("*.py")
        for name, _ in imports(file)
        if name.partition(".")[0] == "numpy" and not file.is_relative_to(simulator)
    ]
    assert users == []
    assert "numpy" not in names_of(project("exporters")["dependencies"])


def test_a_node_runs_without_what_only_other_machines_have() -> None:
    """Every module of the exporter but the simulator's is imported where these packages are not to be had."""
    folder = package("exporters")
    modules = [
        ".".join(file.relative_to(folder.parent).with_suffix("").parts)
        for file in folder.rglob("*.py")
        if not file.is_relative_to(folder / "simulator") and file.stem not in {"__init__", "__main__"}
    ]
    script = (
        "import importlib, sys\n"
        "for absent in ('numpy', 'psycopg', 'dash', 'rich', 'gigawatch_database'): sys.modules[absent] = None\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("part", [*PARTS, "."])
def test_a_distribution_is_typed_and_says_its_licence_and_purpose(part: str) -> None:
    facts = project(part)
    folder = package(part) if part != "." else ROOT / "gigawatch"
    assert facts["name"] == ("gigawatch" if part == "." else f"gigawatch-{part}")
    assert facts["license"] == "Apache-2.0"
    assert facts["description"].endswith(".")
    assert (folder / "py.typed").is_file()
    assert (facts["version"], facts["requires-python"]) == (project(".")["version"], project(".")["requires-python"])


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def registries() -> set[str]:
    """The package registries that this machine knows, by its own settings: hosts, and folders of packages."""
    home = Path.home()
    places = [
        *Path("/etc/apt").glob("sources.list*"),
        *Path("/etc/apt/sources.list.d").glob("*"),
        *(folder / "pip.conf" for folder in (Path("/etc"), home / ".pip", home / ".config/pip")),
        *(folder / "uv/uv.toml" for folder in (Path("/etc"), home / ".config")),
        home / ".npmrc",
        ROOT / "uv.lock",
    ]
    told = [place.read_text("utf-8", "replace") for place in places if place.is_file()]
    told += [value for name, value in os.environ.items() if re.match("(PIP|UV|NPM)_", name.upper())]
    text = "\n".join(told)
    hosts = set(re.findall(r"https?://(?:[^/\s\"'@]+@)?([\w-]+(?:\.[\w-]+)+)", text))
    folders = {found for found in re.findall(r"(?:file://|find-links\s*=\s*)(/[\w./-]+)", text) if found.count("/") > 1}
    return {host for host in hosts if not host.startswith("127.")} | folders


def test_no_file_names_a_package_registry(files: list[Path]) -> None:
    known = registries()
    if not known:
        pytest.skip("this machine's settings name no registry")
    assert lines_with("|".join(map(re.escape, sorted(known))), files) == []


def test_no_file_names_a_folder_of_somebodys_machine(files: list[Path]) -> None:
    assert lines_with(r"(?<![\w.-])/(home|Users)/[a-z]\w*/|[A-Z]:\\Users\\", files) == []
    if len(ROOT.parts) > 2:
        assert lines_with(re.escape(str(ROOT)) + r"(?![\w-])", files) == []


def test_every_requirement_is_pinned_and_hashed() -> None:
    for file in sorted((ROOT / "requirements").glob("*.txt")):
        text = re.sub(r"^\s*#.*\n", "", file.read_text("utf-8").replace("\\\n", " "), flags=re.MULTILINE)
        entries = [line for line in text.splitlines() if line.strip()]
        assert entries, file
        for line in entries:
            assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ ", line), f"{file.name}: {line[:80]}"
            assert "--hash=sha256:" in line, f"{file.name}: {line[:80]}"


def test_each_rule_that_a_file_ignores_has_its_reason_there(files: list[Path]) -> None:
    """`# noqa: X - why` or `# pyright: ignore[x] - why`, at least at one of the places where the file ignores it."""
    missing: list[str] = []
    for file in files:
        if file.suffix != ".py" or file == Path(__file__):
            continue
        reasons: dict[str, bool] = {}
        for rules, words in re.findall(
            r"#(?: ruff:)? noqa: ([A-Z0-9, ]+[0-9])(.*)$|", file.read_text("utf-8"), re.MULTILINE
        ):
            for rule in filter(None, rules.replace(" ", "").split(",")):
                reasons[rule] = reasons.get(rule, False) or " - " in words
        for rules, words in re.findall(r"# pyright: ignore\[([\w, ]+)\](.*)$", file.read_text("utf-8"), re.MULTILINE):
            for rule in rules.replace(" ", "").split(","):
                reasons[rule] = reasons.get(rule, False) or " - " in words
        missing += [f"{file.relative_to(ROOT)}: {rule}" for rule, given in reasons.items() if not given]
    assert missing == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_how_it_is_used_and_what_it_is_for(name: str) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "gigawatch", name, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    used, _, rest = found.stdout.partition("\n\n")
    assert used.startswith(f"usage: gigawatch {name}")
    sentence = " ".join(rest.partition("\n\n")[0].split())
    assert re.match(r"[A-Z].+\.", sentence), "after the usage stands a sentence about the command"


def test_the_list_of_commands_names_each_of_them() -> None:
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.summary)}$", usage(), re.MULTILINE)


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_that_a_page_tells_to_type_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    typed = "\n".join([*re.findall(r"```\w*\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])
    targets = set(re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for target in re.findall(r"^\s*(?:\$ )?make ([a-z][a-z-]*)", typed, re.MULTILINE):
        assert any(re.fullmatch(known.replace("%", "[a-z-]+"), target) for known in targets), f"make {target}"
    for command in re.findall(r"^\s*(?:\$ )?(?:\.venv/bin/)?gigawatch ([a-z]+)", typed, re.MULTILINE):
        assert command in COMMANDS, f"gigawatch {command}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files_that_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target
