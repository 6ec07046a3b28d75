"""Points per second and per CPU-second through the path: OTLP/HTTP gzip in, committed rows out; the last line is JSON.

The bodies are the simulator's, each sent once, as a fleet sends them. Beside it, in the same run, VictoriaMetrics from
Debian takes the same bodies, where it can be fetched. Figures are medians of several rounds; the CPU time is that of the
receiver's processes (collector and PostgreSQL together; VictoriaMetrics), not of the sender.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from gigawatch_collector.testing import running
from gigawatch_database import debian, embedded
from gigawatch_database.connect import connect
from gigawatch_database.migrate import migrate
from gigawatch_exporters.simulator.fleet import Fleet
from gigawatch_exporters.simulator.library import load

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

HEADERS = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
PEER_PATH = "/opentelemetry/v1/metrics"


@dataclass(frozen=True)
class Body:
    """One request, gzipped."""

    content: bytes
    points: int


@dataclass(frozen=True)
class Receiver:
    """Who takes the bodies: where, and the processes whose CPU time counts."""

    port: int
    path: str
    processes: Callable[[], list[psutil.Process]]


def rounds_of_bodies(rounds: int, seconds: int) -> list[list[Body]]:
    """For each round, what the incident's fleet sends in so many seconds; times go on from round to round."""
    fleet = Fleet(load("incident"), time.time_ns() - rounds * seconds * 10**9)
    found: list[list[Body]] = []
    for _ in range(rounds):
        exports = [export for _ in range(seconds) for export in fleet.second() if export.kind == "metrics"]
        found.append([Body(gzipped(export.body), export.points) for export in exports])
    return found


def gzipped(body: bytes) -> bytes:
    packer = zlib.compressobj(6, wbits=31)
    return packer.compress(body) + packer.flush()


def send(receiver: Receiver, bodies: list[Body], connections: int) -> None:
    """Send all bodies, each acknowledged, over several connections."""

    def work(mine: list[Body]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        for body in mine:
            connection.request("POST", receiver.path, body.content, HEADERS)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status not in {200, 204}:
                raise RuntimeError(f"{answer.status}: {said[:200]}")
        connection.close()

    with ThreadPoolExecutor(connections) as pool:
        for one in [pool.submit(work, bodies[index::connections]) for index in range(connections)]:
            one.result()


def cpu(receiver: Receiver) -> float:
    """CPU seconds of the receiver's processes so far."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in receiver.processes()))


def measure(name: str, receiver: Receiver, rounds: list[list[Body]], connections: int) -> dict[str, float]:
    """Medians over the rounds; the first one warms up and does not count."""
    wall: list[float] = []
    spent: list[float] = []
    for number, bodies in enumerate(rounds):
        points = sum(body.points for body in bodies)
        before, started = cpu(receiver), time.perf_counter()
        send(receiver, bodies, connections)
        seconds, used = time.perf_counter() - started, cpu(receiver) - before
        print(
            f"{name}, round {number}: {points:,} points, {points / seconds:,.0f}/s, {points / used:,.0f}/CPU-s",
            flush=True,
        )
        if number:
            wall.append(points / seconds)
            spent.append(points / used)
    return {
        f"{name}_points_per_second": round(statistics.median(wall)),
        f"{name}_points_per_cpu_second": round(statistics.median(spent)),
    }


@contextmanager
def ours(folder: Path) -> Generator[Receiver]:
    """The collector and its database, every commit on the disk."""
    with ExitStack() as stack:
        server = stack.enter_context(embedded.running(folder, report=lambda _: None))
        print(f"database: {server.grade} grade", flush=True)
        with connect(server.dsn, application_name="gigawatch benchmark") as connection:
            migrate(connection, report=lambda _: None)
        collector = stack.enter_context(running(server.dsn))
        postmaster = psutil.Process(int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
        mine = psutil.Process(collector.process.pid)
        port = int(collector.http.rpartition(":")[2])
        yield Receiver(port, "/v1/metrics", lambda: [mine, postmaster, *postmaster.children()])


@contextmanager
def peer(folder: Path) -> Generator[Receiver | None]:
    """VictoriaMetrics from Debian, or None where it cannot be fetched."""
    try:
        program = fetch_peer(folder)
    except (debian.NotFetched, OSError, subprocess.CalledProcessError) as error:
        print(f"no peer beside it: VictoriaMetrics cannot be fetched from Debian ({error})", flush=True)
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        program,
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'data'}",
        "-loggerLevel=ERROR",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Receiver(port, PEER_PATH, lambda: [psutil.Process(process.pid)])
    finally:
        process.terminate()
        process.wait()


def fetch_peer(folder: Path) -> Path:
    """Fetch Debian's package of VictoriaMetrics through an apt configuration of its own, and unpack it."""
    mirror = debian.mirror(Path("/etc"))
    if mirror is None:
        raise debian.NotFetched("apt's sources name no Debian mirror")
    for name in ("sources", "lists/partial", "cache/archives/partial", "state"):
        (folder / "apt" / name).mkdir(parents=True)
    entry = debian.stanza(mirror, "trixie").replace("deb-src", "deb")
    (folder / "apt" / "sources" / "peer.sources").write_text(entry)
    options = {"Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": "apt/sources"}
    options |= {"Dir::State": "apt/state", "Dir::State::lists": "apt/lists", "Dir::Cache": "apt/cache"}
    words = [f"-o{key}={value if value.startswith('/') else folder / value}" for key, value in options.items()]
    for action in (["update"], ["download", "victoria-metrics"]):
        subprocess.run(["apt-get", "-q", *words, *action], cwd=folder, check=True, capture_output=True, timeout=300)
    package = next(folder.glob("victoria-metrics_*.deb"))
    subprocess.run(["dpkg", "-x", package, folder / "peer"], check=True, capture_output=True)
    return next((folder / "peer" / "usr" / "bin").glob("victoria-metrics"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument(
        "--seconds", type=int, default=300, help="seconds of the fleet's time in a round (default: 300)"
    )
    parser.add_argument("--connections", type=int, default=8, help="connections of the sender (default: 8)")
    parser.add_argument("--no-peer", action="store_true", help="measure the collector alone")
    chosen = parser.parse_args()
    bodies = rounds_of_bodies(chosen.rounds + 1, chosen.seconds)
    found: dict[str, float | str | int] = {"benchmark": "ingest", "cores": os.cpu_count() or 0}
    found["points_per_request"] = round(statistics.mean(body.points for body in bodies[0]))
    with tempfile.TemporaryDirectory(prefix="gigawatch-bench-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        with ours(folder / "database") as receiver:
            found |= measure("gigawatch", receiver, bodies, chosen.connections)
        if not chosen.no_peer:
            (folder / "peer").mkdir()
            with peer(folder / "peer") as receiver:
                if receiver is not None:
                    found |= measure("victoriametrics", receiver, bodies, chosen.connections)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
