"""The rule for thermal throttling, applied second by second to the truth."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

WINDOW: Final = 60
"""Seconds that the rule looks back."""
SHARE: Final = 0.1
"""Share of the window that an accelerator must exceed, throttled for temperature by driver or hardware."""


@dataclass(frozen=True, slots=True)
class Spell:
    """An unbroken time in which the rule held for one accelerator; `end` is None while it still holds."""

    node: int
    accelerator: int
    start: int
    end: int | None


class ThermalWindow:
    """Watches the last minute of every accelerator."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._recent: Final[deque[npt.NDArray[np.bool_]]] = deque(maxlen=WINDOW)
        self._sum: npt.NDArray[np.int64] = np.zeros(shape, np.int64)
        self._tick = 0
        self._begun: Final[dict[tuple[int, int], int]] = {}
        self._ended: Final[list[Spell]] = []
        self.active: npt.NDArray[np.bool_] = np.zeros(shape, bool)
        """The accelerators for which the rule holds now."""

    def add(self, throttled: npt.NDArray[np.bool_]) -> None:
        """One second more."""
        self._tick += 1
        if len(self._recent) == WINDOW:
            self._sum -= self._recent[0]
        self._recent.append(throttled)
        self._sum += throttled
        now = self._sum > SHARE * WINDOW
        for node, accelerator in np.argwhere(now != self.active).tolist():
            if now[node, accelerator]:
                self._begun[node, accelerator] = self._tick
            else:
                start = self._begun.pop((node, accelerator))
                self._ended.append(Spell(node, accelerator, start, self._tick))
        self.active = now

    @property
    def spells(self) -> list[Spell]:
        """All spells so far."""
        going_on = [Spell(node, accelerator, start, None) for (node, accelerator), start in self._begun.items()]
        return self._ended + going_on
