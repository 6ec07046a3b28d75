"""The compiled fake of NVML, and a scene on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gigawatch_contract.errors import Unavailable
from gigawatch_exporters.fake import native
from gigawatch_exporters.fake.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled libnvidia-ml.so.1."""
    try:
        return native.build(tmp_path_factory.mktemp("nvml"))
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def scene(library: Path, tmp_path: Path) -> Iterator[Scene]:
    """A node that supports everything, on the compiled library; no exporter runs yet."""
    with Scene(library, tmp_path) as scene:
        yield scene
