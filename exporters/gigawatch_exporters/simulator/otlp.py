"""OTLP bodies for many nodes at once, byte for byte those of the OpenTelemetry SDK's encoder.

Exports of one shape (the same columns, the same states, names of the same length) differ only in fixed-width slots.
The SDK encodes one export of a shape with marker values; where the markers stand are the slots, and NumPy fills them
for all nodes of the shape.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from gigawatch_contract import metrics
from gigawatch_exporters.points import INTEGERS, metrics_data
from gigawatch_exporters.simulator.readings import OK, STATES, identity
from gigawatch_exporters.snapshot import AcceleratorReading, NodeIdentity, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from gigawatch_exporters.simulator.readings import Readings
    from gigawatch_exporters.simulator.world import Integers, World
    from gigawatch_exporters.snapshot import Value

TIME, SINCE, AGE, TEXT = "time", "since", "age", "text"
CHUNK: Final = 128
"""Nodes filled at once: their bodies stay in the processor's cache."""
_FIRST_MARKER: Final = 0x41D3_5B1E_0000_0000
"""Markers count up from here: as a double they are ordinary numbers, as an integer they are positive."""
_IS_INTEGER: Final = {
    (metric.table, metric.column): metric.type in INTEGERS
    for metric in (*metrics.columns("accelerator"), *metrics.columns("node"))
}

Source = tuple[str, int]
"""What fills a slot: a column, and the accelerator's index (-1: the node itself)."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """One shape: a body, and the record type whose fields are its slots."""

    body: npt.NDArray[np.uint8]
    record: np.dtype[np.void]
    sources: dict[str, Source]
    """What fills each field of the record."""


class Encoder:
    """Makes the bodies of one factory's nodes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._who: dict[int, NodeIdentity] = {}
        self._resource: dict[int, bytes] = {}
        self._skeletons: dict[tuple[int, bytes], Skeleton] = {}

    def encode(self, readings: Readings) -> list[bytes]:
        """One body per row of the readings."""
        groups: dict[tuple[int, bytes], list[int]] = {}
        for row, node in enumerate(readings.nodes.tolist()):
            shape = len(self.resource(node)), readings.state[row].tobytes()
            groups.setdefault(shape, []).append(row)
        bodies = [b""] * len(readings.nodes)
        for shape, rows in groups.items():
            if shape not in self._skeletons:
                self._skeletons[shape] = self._skeleton(readings, rows[0])
            for first in range(0, len(rows), CHUNK):
                chunk = rows[first : first + CHUNK]
                for row, body in zip(chunk, self._fill(self._skeletons[shape], readings, chunk), strict=True):
                    bodies[row] = body
        return bodies

    def points(self, readings: Readings) -> Integers:
        """Number points in each body of these readings."""
        constant = readings.state.shape[1] * (len(metrics.STATES) + 1) + len(readings.node)
        return (readings.state == OK).sum(axis=1) * len(readings.accelerator) + constant

    def who(self, node: int) -> NodeIdentity:
        """The identity of a node."""
        if node not in self._who:
            self._who[node] = identity(self._world, node)
        return self._who[node]

    def resource(self, node: int) -> bytes:
        """The encoded resource of a node."""
        if node not in self._resource:
            nothing = Snapshot(time_unix_nano=1, counters_since_unix_nano=1, accelerators=())
            request = encode_metrics(metrics_data(self.who(node), nothing))
            self._resource[node] = request.resource_metrics[0].resource.SerializeToString()
        return self._resource[node]

    def _fill(self, skeleton: Skeleton, readings: Readings, rows: list[int]) -> Iterable[bytes]:
        filled = np.tile(skeleton.body, (len(rows), 1))
        records = filled.view(skeleton.record)[:, 0]
        nodes = readings.nodes[rows].tolist()
        texts = {
            -1: np.frombuffer(b"".join(self.resource(node) for node in nodes), f"V{len(self.resource(nodes[0]))}"),
            **{
                index: np.array([self.who(node).accelerator_ids[index].encode() for node in nodes])
                for index in range(readings.state.shape[1])
            },
        }
        picked = {name: column[rows] for name, column in readings.accelerator.items()}
        node_columns = {name: column[rows] for name, column in readings.node.items()}
        time, since, age = readings.time_ns[rows], readings.counters_since_ns[rows], readings.age[rows]
        for field, (name, index) in skeleton.sources.items():
            if name == TEXT:
                records[field] = texts[index]
            elif name == TIME:
                records[field] = time
            elif name == SINCE:
                records[field] = since
            elif name == AGE:
                records[field] = age[:, index]
            elif index < 0:
                records[field] = node_columns[name]
            else:
                records[field] = picked[name][:, index]
        return (body.tobytes() for body in filled)

    def _skeleton(self, readings: Readings, row: int) -> Skeleton:
        """Encode one row with markers for values, and find them."""
        node = int(readings.nodes[row])
        who = self.who(node)
        markers: dict[bytes, tuple[str, Source]] = {}

        def mark(name: str, index: int, kind: str) -> Value:
            bits = struct.pack("<q", _FIRST_MARKER + len(markers))
            markers[bits] = kind, (name, index)
            return struct.unpack("<q" if kind == "<i8" else "<d", bits)[0]

        accelerators: list[AcceleratorReading] = []
        for index, hw_id in enumerate(who.accelerator_ids):
            state = STATES[readings.state[row, index]]
            names = readings.accelerator if state == "ok" else ()
            accelerators.append(
                AcceleratorReading(
                    hw_id=hw_id,
                    model=who.accelerator_models[index],
                    state=state,
                    age=mark(AGE, index, "<f8"),
                    values={name: mark(name, index, _kind("accelerator", name)) for name in names},
                )
            )
        marked = Snapshot(
            time_unix_nano=int(mark(TIME, -1, "<i8")),
            counters_since_unix_nano=int(mark(SINCE, -1, "<i8")),
            accelerators=tuple(accelerators),
            node={name: mark(name, -1, _kind("node", name)) for name in readings.node},
        )
        markers[self.resource(node)] = f"V{len(self.resource(node))}", (TEXT, -1)
        for index, hw_id in enumerate(who.accelerator_ids):
            markers[hw_id.encode()] = f"S{len(hw_id)}", (TEXT, index)
        return _locate(encode_metrics(metrics_data(who, marked)).SerializeToString(), markers)


def _kind(table: Any, name: str) -> str:
    return "<i8" if _IS_INTEGER[table, name] else "<f8"


def _locate(body: bytes, markers: dict[bytes, tuple[str, Source]]) -> Skeleton:
    """The skeleton of a body: one field for each place where a marker stands."""
    fields: dict[str, tuple[str, int]] = {}
    sources: dict[str, Source] = {}
    for marker, (kind, source) in markers.items():
        at = body.find(marker)
        assert at >= 0, f"the encoder wrote no {source}"
        while at >= 0:
            name = f"f{at}"
            fields[name] = kind, at
            sources[name] = source
            at = body.find(marker, at + len(marker))
    record = np.dtype(
        {
            "names": list(fields),
            "formats": [kind for kind, _ in fields.values()],
            "offsets": [at for _, at in fields.values()],
            "itemsize": len(body),
        }
    )
    return Skeleton(np.frombuffer(body, np.uint8), record, sources)
