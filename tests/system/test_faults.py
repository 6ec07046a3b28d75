"""What breaks on a node is said on the page, by name, while the other accelerators' data goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gigawatch.demo.pages import content
from gigawatch_collector import testing as collectors
from gigawatch_dashboards.testing.serving import serving
from gigawatch_exporters.fake.scene import Daemon, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from gigawatch_database.testing import Server

PATIENCE_S = 40


@dataclass(frozen=True)
class Site:
    """A node with three accelerators, its exporter, and the page that people look at."""

    scene: Scene
    daemon: Daemon
    connection: psycopg.Connection
    pages: str

    def says(self, *words: str) -> None:
        """Wait until the factory's page says all of this."""
        deadline = time.monotonic() + PATIENCE_S
        while not all(word in (shown := json.dumps(content(self.pages, "/factory/sim-test"))) for word in words):
            assert time.monotonic() < deadline, f"the page does not say {words}: {shown[:6000]}"
            time.sleep(0.5)

    def goes_on(self, *accelerators: str) -> None:
        """Wait until readings of these come that are newer than now."""
        begin = time.time()
        query = "SELECT DISTINCT hw_id FROM accelerator_reading WHERE time > to_timestamp(%s) AND power IS NOT NULL"
        deadline = time.monotonic() + PATIENCE_S
        while not {row[0] for row in self.connection.execute(query, [begin])} >= set(accelerators):
            assert time.monotonic() < deadline, f"nothing new of {accelerators}"
            time.sleep(0.2)


@pytest.fixture
def site(library: Path, timescale: Server, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        database = stack.enter_context(timescale.database())
        collector = stack.enter_context(collectors.running(database.dsn))
        scene = stack.enter_context(Scene(library, tmp_path))
        daemon = scene.start("--interval", "1", "--endpoint", collector.http)
        pages = stack.enter_context(serving(database.dsn, "--export-interval", "1"))
        connection = stack.enter_context(database.connect())
        found = Site(scene, daemon, connection, pages)
        found.goes_on("GPU-0", "GPU-1", "GPU-2")
        yield found


def test_a_hung_call_is_said_and_taken_back(site: Site) -> None:
    site.scene.show(site.scene.change(1, hang=True))
    site.says("node-1 GPU 1", "unresponsive")
    site.goes_on("GPU-0", "GPU-2")
    site.scene.show(site.scene.node)
    site.goes_on("GPU-0", "GPU-1", "GPU-2")


def test_an_accelerator_that_disappears_is_named(site: Site) -> None:
    site.scene.show(site.scene.change(2, lost=True))
    site.says("node-1 GPU 2 is lost")
    site.goes_on("GPU-0", "GPU-1")


def test_a_killed_reader_leaves_no_lasting_gap(site: Site) -> None:
    (reader,) = site.daemon.readers()
    os.kill(reader, signal.SIGKILL)
    site.goes_on("GPU-0", "GPU-1", "GPU-2")
