"""`gigawatch demo`, as a person runs it: it does what it promises, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from gigawatch.demo.report import PageAnswer, Report

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

PORTS = ("--pages-port", "--otlp-http-port", "--otlp-grpc-port", "--webhook-port")


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that the server's account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="gigawatch demo "))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder)


def free_ports() -> list[str]:
    """Flags for four ports that nobody listens on."""
    with (
        socket.create_server(("127.0.0.1", 0)) as a,
        socket.create_server(("127.0.0.1", 0)) as b,
        socket.create_server(("127.0.0.1", 0)) as c,
        socket.create_server(("127.0.0.1", 0)) as d,
    ):
        found = [str(each.getsockname()[1]) for each in (a, b, c, d)]
    return [word for pair in zip(PORTS, found, strict=True) for word in pair]


@contextmanager
def demo(*words: str) -> Generator[subprocess.Popen[str]]:
    """The command; its output is read from stderr."""
    command = (sys.executable, "-m", "gigawatch", "demo", *words)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIGAWATCH_DSN")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """What it said until it said these words."""
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without saying {words!r}: {said}")


def left(data: Path, own: set[int]) -> list[str]:
    """Processes that the demo started and that are still there: they know its folder, or were seen as its children."""
    found: list[str] = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or ())
        here = str(data) in words or process.info["pid"] in own
        if here and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(words)
    return found


@pytest.mark.timeout(300)
def test_half_a_minute_of_the_demo_succeeds_and_leaves_nothing_but_its_folder(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with demo("--for", "30", "--report", str(report), "--data", str(data), *free_ports()) as process:
        said = wait_for(process, "Ready after")
        own = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        assert len(own) >= 5, "collector, pages, sink, alerts, simulator"
        said += process.communicate(timeout=120)[1]
        assert process.returncode == 0, said
    found = json.loads(report.read_text("utf-8"))
    assert found["success"] is True
    assert found["nodes_expected"] == 64
    assert found["nodes_missing"] == []
    assert [page["path"] for page in found["pages"]] == [
        *("/", "/factory/sim-aurora", "/factory/sim-borealis", "/factory/sim-corona")
    ]
    assert found["grade"] in {"apache", "plain"}
    assert left(data, own) == []
    assert not (data / "demo" / "spool").exists(), "this machine has no GPU"


def test_interrupted_it_stops_its_parts_in_order_and_says_so(data: Path) -> None:
    with demo("--data", str(data), "--plain", *free_ports()) as process:
        wait_for(process, "Ready after")
        own = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 0, said
        assert "Traceback" not in said
    assert left(data, own) == []


def test_killed_it_takes_its_parts_along(data: Path) -> None:
    with demo("--data", str(data), "--plain", *free_ports()) as process:
        wait_for(process, "Ready after")
        children = psutil.Process(process.pid).children(recursive=True)
        own = {child.pid for child in children if "postgres" not in child.name()}
        process.kill()
        process.wait(10)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(psutil.pid_exists(pid) for pid in own):
            time.sleep(0.1)
        assert not [pid for pid in own if psutil.pid_exists(pid)]
    # The database server is the next one's to stop, or this command's.
    stop = (sys.executable, "-m", "gigawatch", "database", "stop", "--data", str(data))
    subprocess.run(stop, check=True, capture_output=True, timeout=60)
    assert left(data, own) == []


def test_a_taken_port_is_named_with_its_flag_and_its_holder(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        with demo("--data", str(data), *free_ports(), "--pages-port", port) as process:
            said = process.communicate(timeout=60)[1]
            assert process.returncode == 2
    assert "--pages-port" in said
    assert f"port {port}" in said
    assert f"process {os.getpid()}" in said
    assert "Traceback" not in said
    assert not data.exists()


def judged(**changes: object) -> Report:
    """A report of a demo in which all went well, but for the changes."""
    good: dict[str, object] = {
        "simulated": True,
        "versions": {},
        "grade": "apache",
        "grade_reason": None,
        "seconds": {"ready": 10.0},
        "nodes_expected": 2,
        "nodes_missing": (),
        "rows": 10,
        "points_sent": 100,
        "pages": (PageAnswer(path="/", seconds=0.1),),
        "incident_xid": 79,
        "incident_event_id": "id",
        "alert_delivered": True,
        "alerts_delivered": 1,
    }
    return Report(**(good | changes))  # pyright: ignore[reportArgumentType] - the fields are checked by the class


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"nodes_missing": ("sim-a/n1",)}, "sim-a/n1"),
        ({"nodes_expected": 0}, "no simulated node"),
        ({"pages": ()}, "no page"),
        ({"pages": (PageAnswer(path="/x", seconds=1, problem="it is empty"),)}, "/x: it is empty"),
        ({"incident_event_id": None}, "not in the database"),
        ({"alert_delivered": False}, "no alert"),
        ({"parts_ended": ("collector",)}, "collector"),
    ],
)
def test_a_demo_that_lacks_anything_it_promises_fails(changes: dict[str, object], problem: str) -> None:
    assert judged().success
    report = judged(**changes)
    assert not report.success
    assert problem in "".join(report.problems)
