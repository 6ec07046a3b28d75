"""`scontrol show nodes`: names, GPUs and states as Slurm writes them."""

from __future__ import annotations

import datetime as dt

import pytest

from gigawatch_programme.inventory import slurm
from gigawatch_programme.inventory.nodes import Node
from gigawatch_programme.inventory.states import Said
from gigawatch_programme.table import Refused

NOW = dt.datetime(2026, 11, 16, 8, tzinfo=dt.UTC)
OUTPUT = """\
NodeName=n01 Arch=x86_64 CoresPerSocket=1
   Gres=gpu:h100:8(S:0-1),tmpdisk:100
   State=IDLE+DRAIN ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A
   Reason=bad fan in slot 3 [root@2026-11-15T10:00:00]

NodeName=n02 Arch=x86_64 CoresPerSocket=1
   Gres=gpu:4
   State=MIXED ThreadsPerCore=1

"""


def test_nodes_keep_their_rack_and_the_model_that_is_known() -> None:
    known = {"n01": Node("sim-a", "n01", "r1", 4, "NVIDIA H100 80GB HBM3")}
    told = slurm.read("nodes.txt", OUTPUT.encode(), "sim-a", known, NOW)
    assert told.nodes == (
        Node("sim-a", "n01", "r1", 8, "NVIDIA H100 80GB HBM3"),
        Node("sim-a", "n02", None, 4, None),
    )
    assert told.states == (Said("n01", "drained", "bad fan in slot 3", NOW), Said("n02", "up", None, NOW))


@pytest.mark.parametrize(
    ("text", "word"),
    [("IDLE", "up"), ("ALLOCATED+MAINTENANCE", "up"), ("DOWN*", "down"), ("DOWN*+DRAIN", "drained"), ("MIXED", "up")],
)
def test_each_state_has_our_word(text: str, word: str) -> None:
    assert slurm.state(text) == word


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>login</html>", "is a web page"),
        (b"PARTITION AVAIL\n", "is not the output"),
        (b"NodeName=a Gres=gpu:x\n State=IDLE", "row 1, column Gres"),
        (b"NodeName=a Gres=(null)\n", "row 1, column State: is missing"),
        (b"NodeName=a State=IDLE\nNodeName=a State=IDLE\n", 'row 2, column NodeName: "a" is already there'),
    ],
)
def test_what_is_not_scontrols_output_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(Refused) as refused:
        slurm.read("nodes.txt", body, "sim-a", {}, NOW)
    assert str(refused.value.problems[0]).removeprefix("nodes.txt: ").startswith(message)
