"""The compiled fake of NVML, for whole-path tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gigawatch_contract.errors import Unavailable
from gigawatch_exporters.fake import native

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled libnvidia-ml.so.1."""
    try:
        return native.build(tmp_path_factory.mktemp("nvml"))
    except Unavailable as error:
        pytest.skip(str(error))
