"""How the processes of the exporter stay small."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Return to the kernel what imports used and freed: a third of a reader's memory. Only glibc needs to be asked."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
