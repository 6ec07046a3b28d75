"""What the collector does not take waits on disk, and arrives later with its own time."""

from __future__ import annotations

import gzip
import signal
import urllib.request
from typing import TYPE_CHECKING

import pytest

from gigawatch_contract.errors import ConfigurationError
from gigawatch_exporters.otlp import Answer
from gigawatch_exporters.outbox import place, seconds_to_next
from gigawatch_exporters.sending import FIRST_PAUSE, LONGEST_PAUSE, Pace, after, due, verdict
from gigawatch_exporters.spool import MOST_IN_MEMORY, Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gigawatch_exporters.fake.scene import Scene
    from gigawatch_exporters.testing import Export

HOUR = 3600 * 10**9


def moment(export: Export) -> int:
    return next(point.time_unix_nano for point in export.points())


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool", max_bytes=100, max_age=3600)
    yield spool
    spool.close()


def test_an_outage_and_a_killed_daemon_lose_nothing_and_live_data_comes_first(scene: Scene) -> None:
    scene.receiver.answer = lambda _: (503, {})
    first = scene.start()
    scene.receiver.wait_for(lambda: len(list(scene.spool.glob("*.metrics.gz"))) >= 3)
    first.end(signal.SIGKILL)
    waiting = {int(path.name[:20]) for path in scene.spool.glob("*.metrics.gz")}
    half_written = scene.spool / "00000000000000000001-000001.metrics.gz.part"
    half_written.write_bytes(b"half")

    scene.receiver.answer = lambda _: (200, {})
    scene.start()
    scene.receiver.wait_for(lambda: waiting <= set(map(moment, scene.receiver.accepted())), 60)
    arrived = [moment(each) for each in scene.receiver.accepted()]
    assert arrived[0] not in waiting, "the backlog waits behind what is live"
    assert [each for each in arrived if each in waiting] == sorted(waiting), (
        "oldest first, each once, with its own time"
    )
    assert not half_written.exists()
    scene.receiver.wait_for(lambda: not waiting & {int(path.name[:20]) for path in scene.spool.glob("*.gz")})


@pytest.mark.parametrize("status", [400, 413])
def test_an_export_that_is_refused_for_good_is_dropped_and_counted(scene: Scene, status: int) -> None:
    scene.receiver.answer = lambda _: (status, {})
    daemon = scene.start()
    scene.receiver.wait_for(lambda: len(scene.receiver.exports) >= 2)
    assert len({moment(each) for each in scene.receiver.exports}) == len(scene.receiver.exports), "none is tried twice"
    scene.receiver.answer = lambda _: (200, {})
    scene.next()
    assert f"refuses these metrics for good, they are dropped: {status}" in daemon.output
    page = urllib.request.urlopen(f"{daemon.page}/metrics").read().decode()
    assert 'gigawatch_exporter_exports_total{outcome="refused"}' in page
    assert 'gigawatch_exporter_exports_total{outcome="refused"} 0.0' not in page
    scene.receiver.wait_for(lambda: not list(scene.spool.glob("*.gz")))


def test_events_wait_on_disk_as_well_and_do_not_hold_up_metrics(scene: Scene) -> None:
    scene.receiver.answer = lambda path: (503 if path == "/v1/logs" else 200, {})
    scene.start()
    scene.show(scene.change(0, lost=True))
    scene.receiver.wait_for(lambda: [each for each in scene.receiver.exports if each.logs])
    scene.next()
    scene.receiver.answer = lambda _: (200, {})
    [record] = scene.event("lost")
    assert record.time_unix_nano < moment(scene.next())


def test_the_exporter_leaves_the_collector_alone_for_as_long_as_it_asks(scene: Scene) -> None:
    scene.receiver.answer = lambda _: (429, {"Retry-After": "3600"})
    scene.start()
    scene.receiver.wait_for(lambda: len(list(scene.spool.glob("*.metrics.gz"))) >= 8)
    assert len(scene.receiver.exports) == 1


def test_what_is_put_is_read_again_after_a_restart(tmp_path: Path) -> None:
    before = Spool(tmp_path, max_bytes=1000, max_age=3600)
    before.put("metrics", 2 * HOUR, gzip.compress(b"two"))
    before.put("logs", 1 * HOUR, gzip.compress(b"one"))
    before.close()
    again = Spool(tmp_path, max_bytes=1000, max_age=3600)
    entry = again.oldest("metrics")
    assert entry is not None
    assert entry.time_unix_nano == 2 * HOUR
    assert gzip.decompress(again.read(entry) or b"") == b"two"
    assert again.newest_untried("metrics") is None, "what an earlier daemon left is backlog"
    again.close()


def test_the_oldest_is_that_of_the_earliest_time_and_not_that_put_first(spool: Spool) -> None:
    for second in (3, 1, 2):
        spool.put("metrics", second, b"")
    oldest = spool.oldest("metrics")
    assert oldest is not None
    assert oldest.time_unix_nano == 1


def test_a_full_spool_drops_the_oldest_and_counts(spool: Spool) -> None:
    for second in range(5):
        spool.put("metrics", second, bytes(30))
    assert (spool.count, spool.size, spool.dropped) == (3, 90, 2)
    oldest = spool.oldest("metrics")
    assert oldest is not None
    assert oldest.time_unix_nano == 2


def test_what_the_collector_would_find_too_old_is_dropped_and_counted(spool: Spool) -> None:
    spool.put("metrics", 0, b"old")
    spool.put("metrics", HOUR + 1, b"new")
    assert (spool.count, spool.dropped) == (1, 1)


def test_an_export_that_the_disk_does_not_take_is_sent_from_memory(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    spool.put("metrics", 1, b"body")
    entry = spool.newest_untried("metrics")
    assert entry is not None
    assert spool.read(entry) == b"body"
    for time in range(MOST_IN_MEMORY):
        spool.put("metrics", 2 + time, b"")
    assert (spool.count, spool.dropped) == (MOST_IN_MEMORY, 1)


def test_two_exporters_do_not_share_a_spool(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"spool: another exporter uses .*; give each its own"):
        Spool(tmp_path / "spool", max_bytes=1, max_age=1)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, "accepted"), (202, "accepted"), (400, "refused"), (413, "refused")]
    + [(status, "later") for status in (None, 301, 401, 403, 404, 429, 500, 502, 503, 504)],
)
def test_only_what_is_wrong_in_itself_is_given_up(status: int | None, expected: str) -> None:
    assert verdict(Answer(status=status)) == expected


def test_pauses_grow_to_a_limit_and_begin_anew_after_success() -> None:
    pace = Pace()
    pauses: list[float] = []
    for _ in range(12):
        pace = after(pace, Answer(status=None), 0.0, 0.5, 15.0)
        pauses.append(pace.not_before)
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert after(pace, Answer(status=200), 100.0, 0.0, 15.0).not_before == 0


def test_the_collector_s_own_pause_is_kept_if_it_is_longer() -> None:
    assert after(Pace(), Answer(status=429, retry_after=120.0), 1000.0, 0.0, 15.0).not_before == 1120.0


def test_after_an_outage_nodes_begin_their_replay_at_different_times() -> None:
    failed = Pace(failures=5)
    begins = {after(failed, Answer(status=200), 0.0, luck / 10, 15.0).replay_not_before for luck in range(10)}
    assert len(begins) == 10
    assert max(begins) > 10


def test_live_data_does_not_wait_for_the_backlog_s_pause(spool: Spool) -> None:
    spool.put("metrics", 1, b"old")
    old = spool.oldest("metrics")
    assert old is not None
    spool.tried(old)
    slow = Pace(replay_not_before=50.0)
    assert due(slow, None, old, 10.0) == (None, 40.0)
    spool.put("metrics", 2, b"new")
    live = spool.newest_untried("metrics")
    assert due(slow, live, old, 10.0) == (live, None)


def test_the_nodes_of_a_fleet_export_at_different_times_and_each_at_its_own() -> None:
    places = sorted(place(f"node-{number}", 15.0) for number in range(1000))
    assert all(abs(each - number * 0.015) < 1 for number, each in enumerate(places))
    assert seconds_to_next(4.0, 15.0, 1_000_000_000.0) == 15.0 - (1_000_000_000 - 4) % 15
    assert place("node-7", 15.0) == place("node-7", 15.0)
