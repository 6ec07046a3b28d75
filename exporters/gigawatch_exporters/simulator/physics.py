"""The physics of accelerators under load, as functions over arrays; SI units, one call is one second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from gigawatch_exporters.simulator.scenario import Model

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

CLOCK_STEP: Final = 15
"""MHz between two clocks that the hardware can run at."""
POWER_EXPONENT: Final = 2.4
"""Dynamic power grows with clock times voltage squared, and voltage falls with the clock, but not to zero."""
COMPUTE_SHARE: Final = 0.72
"""Share of a training step that computes; the rest exchanges gradients."""
CHECKPOINT_EVERY: Final = 40
"""Training steps from one checkpoint to the next; writing it takes the time of the last one."""
SOFT_RELEASE: Final = 4.0
"""Kelvin below the slowdown temperature at which the driver stops to hold clocks down."""
HARD_RELEASE: Final = 3.0
"""Kelvin below the limit at which the hardware lets the clock up again."""
SLOWEST: Final = 0.3
"""The lowest clock that throttling goes down to, as a share of the highest."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What each job is doing: shares of the accelerators' abilities that it asks for now."""

    compute: Bools
    exchange: Bools
    checkpoint: Bools


def phase(progress: Floats, running: Bools) -> Phase:
    """The phase of jobs that have done `progress` training steps."""
    checkpoint = running & (np.floor(progress) % CHECKPOINT_EVERY >= CHECKPOINT_EVERY - 1)
    compute = running & ~checkpoint & (progress % 1.0 < COMPUTE_SHARE)
    return Phase(compute, running & ~checkpoint & ~compute, checkpoint)


def activity(now: Phase, intensity: Floats) -> Floats:
    """Share of the dynamic power range that a job asks for."""
    return intensity * (now.compute * 1.0 + now.exchange * 0.6 + now.checkpoint * 0.35)


def power(model: Model, active: Floats, clock: Floats) -> Floats:
    """Watts drawn at a load and a clock (shares of the highest)."""
    return model.power_idle + (model.power_max - model.power_idle) * active * clock**POWER_EXPONENT


def power_cap(active: Floats) -> Floats:
    """The clock at which the power limit is just kept; 1 where the load stays below it."""
    return np.maximum(active, 1.0) ** (-1.0 / POWER_EXPONENT)


def approach(value: Floats, target: Floats, lag: Floats | float) -> Floats:
    """First-order lag: a second further towards the target."""
    return value + (target - value) * -np.expm1(-1.0 / lag)


def latch(on: Bools, temperature: Floats, start: float, release: float) -> Bools:
    """Hysteresis: on from `start` degrees, off below `release`."""
    return (temperature >= start) | (on & (temperature >= release))


def thermal_clock(model: Model, clock: Floats, temperature: Floats, held: Bools) -> Floats:
    """The clock that thermal control allows: while held, steered to stay just below the slowdown temperature."""
    error = temperature - (model.slowdown_temperature - 1.0)
    change = np.where(held, np.clip(-0.012 * error, -0.06, 0.012), 0.03)
    return np.clip(clock + change, SLOWEST, 1.0)


def quantised(model: Model, clock: Floats) -> npt.NDArray[np.int64]:
    """The clock in MHz that the hardware runs at."""
    return (clock * model.sm_clock / CLOCK_STEP + 1e-9).astype(np.int64) * CLOCK_STEP
