"""Who hears of an alert, and together with which others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gigawatch_alerts.labels import Labels, only, written

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One receiver, and how its alerts are put together in messages."""

    receiver: str
    group_by: tuple[str, ...] = ("alertname", "factory")
    group_wait: timedelta = timedelta()
    """How long the first change of a group waits for others to come along."""


@dataclass(frozen=True, slots=True)
class Address:
    """The group of one receiver that an alert belongs to."""

    receiver: str
    group_key: str
    labels: tuple[tuple[str, str], ...]
    group_wait: timedelta


def addresses(routes: Iterable[Route], labels: Labels) -> list[Address]:
    """The groups that a change of this alert goes to; the key is written as Alertmanager writes its own."""
    found: list[Address] = []
    for route in routes:
        group = only(labels, route.group_by)
        found.append(Address(route.receiver, "{}:" + written(group), tuple(group.items()), route.group_wait))
    return found
