"""Where the nodes and accelerators of a simulated factory are, and what they are called."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Final

from gigawatch_contract.resource import SIMULATED_PREFIX

_NAMESPACE: Final = uuid.UUID("0a7e3f7e-92d4-5a0b-8f5e-3d1c0b7a6e21")
_LOCAL: Final = re.compile(r"r(\d{2,4})n(\d{2})")


@dataclass(frozen=True, slots=True)
class Layout:
    """Nodes are numbered rack by rack; `r02n03` is the third node of the second rack."""

    factory: str
    nodes: int
    nodes_per_rack: int
    accelerators_per_node: int

    @property
    def racks(self) -> int:
        """Racks, the last one perhaps not full."""
        return -(-self.nodes // self.nodes_per_rack)

    @property
    def accelerators(self) -> int:
        """Accelerators in all."""
        return self.nodes * self.accelerators_per_node

    @property
    def hint(self) -> str:
        """How its nodes are called, for an error."""
        return f"it has racks r01 to {self.rack(self.nodes - 1)}, nodes r01n01 to {self.local_name(self.nodes - 1)}"

    def rack(self, node: int) -> str:
        """The rack of a node."""
        return f"r{node // self.nodes_per_rack + 1:02}"

    def local_name(self, node: int) -> str:
        """A node's name within the factory, as scenario files use it."""
        return f"{self.rack(node)}n{node % self.nodes_per_rack + 1:02}"

    def host_name(self, node: int) -> str:
        """A node's host name: unlike any in another factory."""
        return f"{self.factory.removeprefix(SIMULATED_PREFIX)}-{self.local_name(node)}"

    def host_id(self, node: int) -> str:
        """A node's machine id."""
        return uuid.uuid5(_NAMESPACE, f"{self.factory}/{self.host_name(node)}").hex

    def hw_id(self, node: int, accelerator: int) -> str:
        """An accelerator's UUID, in the form in which NVML gives it."""
        return f"GPU-{uuid.uuid5(_NAMESPACE, f'{self.factory}/{self.host_name(node)}/{accelerator}')}"

    def find(self, name: str) -> int | None:
        """The index of the node of this local name or host name."""
        match = _LOCAL.fullmatch(name.removeprefix(f"{self.factory.removeprefix(SIMULATED_PREFIX)}-"))
        if not match:
            return None
        rack, slot = int(match[1]) - 1, int(match[2]) - 1
        node = rack * self.nodes_per_rack + slot
        return node if rack >= 0 and 0 <= slot < self.nodes_per_rack and node < self.nodes else None

    def rack_nodes(self, rack: str) -> range:
        """The nodes of a rack; empty when there is no such rack."""
        first = self.find(f"{rack}n01")
        if first is None:
            return range(0)
        return range(first, min(first + self.nodes_per_rack, self.nodes))
