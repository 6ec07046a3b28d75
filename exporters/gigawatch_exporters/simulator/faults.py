"""The faults that a scenario can plant; times are seconds from its start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeGuard

from gigawatch_exporters.simulator.document import key, time_key


@dataclass(frozen=True, kw_only=True, slots=True)
class During:
    """A fault that begins and ends."""

    factory: str
    start: float = time_key()
    end: float = time_key()

    @property
    def lasts(self) -> tuple[float, float]:
        """From when, and until when it is no longer."""
        return self.start, self.end


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """Something that happens at one moment to one accelerator."""

    factory: str
    node: str
    accelerator: int = key(low=0)
    at: float = time_key()

    @property
    def lasts(self) -> tuple[float, float]:
        """From when, and until when it is no longer."""
        return self.at, self.at


@dataclass(frozen=True, kw_only=True, slots=True)
class Cooling(During):
    """The coolant of a rack stops flowing: the rack heats it up by `rise` kelvin at full power, with `lag`."""

    rack: str
    rise: float = key(90.0, low=1, high=200)
    lag: float = time_key(60.0, low=1, high=3600)


@dataclass(frozen=True, kw_only=True, slots=True)
class Silent(During):
    """A node's exporter is down: nothing is sent, now or later; the node itself works on."""

    node: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Hang(During):
    """Calls that read an accelerator do not return: it is unresponsive, though it works on."""

    node: str
    accelerator: int = key(low=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class SlowLink(During):
    """An accelerator's NVLink runs at `factor` of its rate, and holds back the communication of its job."""

    node: str
    accelerator: int = key(low=0)
    factor: float = key(0.25, low=0.01, high=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Xid(Moment):
    """The driver reports an XID error for an accelerator, which goes on working."""

    code: int = key(low=1, high=9999)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost(Moment):
    """An accelerator falls off the bus and never comes back."""

    @property
    def lasts(self) -> tuple[float, float]:
        """From when, and until when it is no longer: for ever."""
        return self.at, math.inf


@dataclass(frozen=True, kw_only=True, slots=True)
class Ecc(Moment):
    """Memory errors, counted at one moment."""

    corrected: int = key(0, low=0)
    uncorrected: int = key(0, low=0)


Fault = Cooling | Silent | Hang | SlowLink | Xid | Lost | Ecc
AcceleratorFault = Hang | SlowLink | Xid | Lost | Ecc

FAULTS: Final[dict[str, type[Fault]]] = {
    "cooling": Cooling,
    "silent": Silent,
    "hang": Hang,
    "slow_link": SlowLink,
    "xid": Xid,
    "lost": Lost,
    "ecc": Ecc,
}
"""By the word that a scenario file names them with."""


def on_accelerator(fault: Fault) -> TypeGuard[AcceleratorFault]:
    """Whether the fault concerns one accelerator of a node."""
    return not isinstance(fault, (Cooling, Silent))
