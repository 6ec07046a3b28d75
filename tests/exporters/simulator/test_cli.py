from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gigawatch_exporters.simulator.cli import main
from gigawatch_exporters.simulator.fleet import bodies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Protocol

    class Receiver(Protocol):
        endpoint: str
        got: list[tuple[str, bytes]]
        answer: Callable[[str, int], tuple[int, dict[str, str], bytes]]


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"], "gigawatch simulate")
    assert end.value.code == 0
    text = capsys.readouterr().out
    for word in (
        "examples:",
        "--backfill",
        "--speed",
        "demo, incident",
        "docs/simulator.md",
        "says that it is simulated",
    ):
        assert word in text


def test_a_story_is_sent_whole_as_fast_as_it_is_taken(receiver: Receiver, tiny_file: Path) -> None:
    words = ["--scenario", str(tiny_file), "--endpoint", receiver.endpoint, "--speed", "0", "--start", "1800000000"]
    assert main(words) == 0
    expected = Counter((f"/v1/{kind}", body) for _, kind, _, body in bodies(str(tiny_file), 1_800_000_000, 240))
    assert Counter(each for each in receiver.got if each[1]) == expected


def test_statistics_are_lines_of_json(receiver: Receiver, tiny_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--scenario", str(tiny_file), "--endpoint", receiver.endpoint, "--speed", "0", "--stats"]
    assert main(words) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["nodes"] == 4
    assert last["sent"] == len([body for _, body in receiver.got if body])
    assert last["points"] > last["sent"]
    assert (last["errors"], last["given_up"], last["rejected"]) == (0, 0, 0)


def test_progress_is_told_to_a_person(receiver: Receiver, tiny_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenario", str(tiny_file), "--endpoint", receiver.endpoint, "--speed", "0"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "4 nodes (simulated)" in captured.err


def test_live_sending_keeps_to_the_clock(receiver: Receiver, tiny_file: Path) -> None:
    words = ["--scenario", str(tiny_file), "--endpoint", receiver.endpoint, "--duration", "2s", "--interval", "1"]
    assert main([*words, "--backfill", "10s"]) == 0
    assert len([body for _, body in receiver.got if body]) == 4 * 12


def test_what_was_not_acknowledged_is_an_error(
    receiver: Receiver, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answer = lambda _path, _number: (403, {}, b"not from here")
    words = ["--scenario", str(tiny_file), "--endpoint", receiver.endpoint, "--speed", "0", "--duration", "15s"]
    assert main(words, "gigawatch simulate") == 4
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("gigawatch simulate: 4 exports were not acknowledged")
    assert "not from here" in message


def test_the_inventory_is_written_and_nothing_sent(tmp_path: Path) -> None:
    file = tmp_path / "inventory.csv"
    assert main(["--inventory", str(file), "--nodes", "64", "--endpoint", "http://127.0.0.1:1"]) == 0
    assert len(file.read_text().splitlines()) == 65


def test_the_truth_is_written_with_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "truth.json"
    assert main(["--truth", str(file), "--dry-run", "--start", "1800000000", "--duration", "1m"]) == 0
    document = json.loads(file.read_text())
    assert document["start"] == "2027-01-15T08:00:00.000Z"
    assert [event["xid"] for event in document["events"]] == [79, None]
    assert json.loads(capsys.readouterr().out)["exports"] == 4 * 64 - 2 + 2  # a node silent for 30 s; two events


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["--endpoint", "http://127.0.0.1:1"], "http://127.0.0.1:1 does not answer", 4),
        (["--endpoint", "nowhere"], "endpoint = 'nowhere' is not like http://127.0.0.1:4318", 2),
        (["--interval", "0.5"], "interval = 0.5: between 1 and 3600 seconds", 2),
        (["--interval", "often"], "--interval: interval = 'often' is not a number", 2),
        (["--speed", "-1"], "speed = -1.0: 0 or more", 2),
        (["--connections", "0"], "connections = 0: between 1 and 256", 2),
        (["--nodes", "2"], "--nodes 2: 3 factories need at least one node each", 2),
        (["--factory", "sim-x"], "has no factory 'sim-x'", 2),
        (["--scenario", "nothing"], "there is no scenario 'nothing'", 2),
        (["--backfill", "2d"], "backfill = '2d': between 0s and 24h", 2),
        (["--inventory", "/nowhere/at/all.csv"], "inventory = '/nowhere/at/all.csv' cannot be written", 2),
    ],
)
def test_a_wrong_flag_is_one_clear_line(
    words: list[str], says: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, "gigawatch simulate") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gigawatch simulate: ")
    assert says in line
