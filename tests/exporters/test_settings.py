"""What is set wrongly is refused at start, in one line that names the key and says what to do."""

from __future__ import annotations

import dataclasses
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.settings import Settings

if TYPE_CHECKING:
    from gigawatch_exporters.fake.scene import Scene

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"factory": "Jülich"}, "factory: gigawatch.factory.id 'Jülich' is not a factory id"),
        ({"factory": "sim-x"}, "factory: telemetry for the fictional factory 'sim-x' must say so"),
        ({"factory": "jaif", "simulated": True}, "factory: simulated telemetry for the real factory 'jaif' is refused"),
        ({"factory": "jaif", "period": 0.0}, "period = 0.0: 0.1 to 60 seconds"),
        ({"factory": "jaif", "interval": 0.5}, "interval = 0.5: at least the period, 1 seconds"),
        ({"factory": "jaif", "interval": 900.0}, "interval = 900.0: at most 300 seconds"),
        ({"factory": "jaif", "timeout": 0.0}, "timeout = 0.0: more than 0 seconds"),
        ({"factory": "jaif", "deadline": 1.0}, "deadline = 1.0: at least twice the period"),
        ({"factory": "jaif", "hang": 1.0}, "hang = 1.0: at least the deadline, 5 seconds"),
        ({"factory": "jaif", "endpoint": "collector:4318"}, "endpoint = 'collector:4318': an address such as https://"),
        (
            {"factory": "jaif", "endpoint": "http://c:4318/v1/metrics"},
            "endpoint = 'http://c:4318/v1/metrics': without /v1/metrics",
        ),
        ({"factory": "jaif", "endpoint": "http://me:secret@c:4318"}, "endpoint = '…': without a password"),
        ({"factory": "jaif", "prometheus_port": 70000}, "prometheus_port = 70000: 0 to 65535"),
        ({"factory": "jaif", "spool_size": 0}, "spool_size = 0: at least 1 MB"),
        ({"factory": "jaif", "spool_hours": 0.0}, "spool_hours = 0.0: more than 0 hours"),
        ({"factory": "jaif", "scenario": "incident"}, "scenario = 'incident': only with library = \"fake\""),
        ({"factory": "sim-x", "library": "fake"}, 'scenario = None: needed with library = "fake"'),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        Settings(**dict[str, Any](given))


def refused(scene: Scene, *words: str) -> tuple[int, str]:
    """Exit code and last line of an exporter that does not start; the lines before are at most its log."""
    daemon = scene.run(*words)
    code = daemon.wait()
    assert "Traceback" not in daemon.output
    return code, daemon.output.splitlines()[-1]


def test_a_taken_port_is_refused_with_the_name_of_its_holder(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(scene, "--prometheus-port", str(port))
    assert code == 2
    assert f"prometheus_port: port {port} on 127.0.0.1 is taken by process" in said
    assert "pytest" in said


def test_a_spool_in_use_is_refused(scene: Scene) -> None:
    scene.start()
    code, said = refused(scene)
    assert code == 2
    assert "spool: another exporter uses" in said


def test_a_library_that_is_not_there_is_named(scene: Scene) -> None:
    code, said = refused(scene, "--library", "/nowhere/libnvidia-ml.so.1")
    assert code == 2
    assert said.startswith("gigawatch-exporter: library: /nowhere/libnvidia-ml.so.1: cannot open shared object file")


def test_an_unknown_node_of_a_scenario_is_named(scene: Scene) -> None:
    code, said = refused(scene, "--library", "fake", "--scenario", "incident", "--host-name", "nobody")
    assert code == 2
    assert "no node 'nobody'" in said


def test_an_endpoint_that_nobody_serves_is_no_error_and_is_said(scene: Scene) -> None:
    daemon = scene.start("--endpoint", "http://127.0.0.1:9")
    scene.receiver.wait_for(lambda: "could not be sent" in daemon.output)
    assert daemon.end(signal.SIGTERM) == 0
    assert "Traceback" not in daemon.output


def test_an_unusable_spool_is_named(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = refused(scene, "--spool", str(tmp_path / "file" / "spool"))
    assert code == 2
    assert f"spool: {tmp_path / 'file' / 'spool'} cannot be used: Not a directory" in said


def test_once_prints_a_table_with_units_and_check_says_that_all_is_well(scene: Scene) -> None:
    once = scene.run("--once")
    assert once.wait() == 0
    assert once.output.startswith("These readings are simulated.")
    rows = {line[:32].strip(): line[32:].split() for line in once.output.splitlines()}
    assert rows["power, W"] == ["612.345"] * 3
    assert rows["utilization, %"] == ["97"] * 3
    assert rows["energy, kWh"] == ["34.2936"] * 3
    check = scene.run("--check")
    assert check.wait() == 0
    assert check.output.startswith("well: driver 580.105.08, 3 accelerators")


def test_the_unofficial_pynvml_wheel_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "pynvml").mkdir()
    (tmp_path / "pynvml" / "__init__.py").write_text("def nvmlInit(): ...")
    words = (sys.executable, "-m", "gigawatch", "exporter", "--factory", "jaif", "--once")
    done = subprocess.run(words, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "gigawatch exporter: the module pynvml comes from the unofficial wheel `pynvml`, which hides NVIDIA's own: "
        "pip uninstall pynvml; pip install --force-reinstall nvidia-ml-py\n"
    )


def test_the_guide_lists_every_setting_with_its_default_and_nothing_else() -> None:
    guide = (ROOT / "docs" / "exporter.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", guide, re.MULTILINE))
    settings = {
        field.name: "required" if field.default is dataclasses.MISSING else shown(field.default)
        for field in dataclasses.fields(Settings)
    }
    assert listed == settings


def shown(default: object) -> str:
    if default is None or default == "":
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_unit_file_starts_the_exporter_with_settings_that_exist() -> None:
    unit = (ROOT / "deploy" / "systemd" / "gigawatch-exporter.service").read_text("utf-8")
    assert "User=root" not in unit
    names = {field.name for field in dataclasses.fields(Settings)}
    example = (ROOT / "deploy" / "systemd" / "exporter.toml").read_text("utf-8")
    assert set(re.findall(r"^#? ?(\w+) = ", example, re.MULTILINE)) <= names
