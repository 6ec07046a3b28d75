"""The counters' state on disk: an exporter that starts again goes on counting where the one before it ended."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from gigawatch_exporters.counters import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)
NAME: Final = "counters.json"


def save(folder: Path, era: str, since_unix_nano: int, totals: Mapping[str, Totals]) -> None:
    """Write the counters of an era: from one start of the machine (or of a scenario) to the next."""
    content = {"era": era, "since": since_unix_nano, "totals": {hw_id: asdict(each) for hw_id, each in totals.items()}}
    part = folder / f"{NAME}.part"
    try:
        part.write_text(json.dumps(content), "utf-8")
        part.rename(folder / NAME)
    except OSError as error:
        log.warning("%s cannot be written: %s", part, error.strerror)


def load(folder: Path, era: str, since_unix_nano: int) -> tuple[int, dict[str, Totals]]:
    """Since when counters count, and what was known of them; as given, and nothing, when the era is another."""
    try:
        content: Any = json.loads((folder / NAME).read_text("utf-8"))
        if content["era"] == era:
            return int(content["since"]), {hw_id: Totals(**each) for hw_id, each in content["totals"].items()}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s is not readable, counters begin anew: %s", folder / NAME, error)
    return since_unix_nano, {}
