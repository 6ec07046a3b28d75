from __future__ import annotations

import pytest

from gigawatch_programme.registry import SHIPPED
from gigawatch_programme.sheets import SHEETS


@pytest.fixture
def shipped() -> dict[str, bytes]:
    """The bytes of the shipped files, by name: to be changed by a test."""
    return {sheet.file: (SHIPPED / sheet.file).read_bytes() for sheet in SHEETS}
