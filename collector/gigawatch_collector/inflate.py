"""A request's body as it arrives: gunzipped on the way, never past the limit."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from gigawatch_collector import refusal

if TYPE_CHECKING:
    from gigawatch_collector.budget import Claim

GZIP_MAGIC: Final = b"\x1f\x8b"
STEP: Final = 1 << 20
"""Bytes inflated at once: a bomb is noticed within this much of the limit."""
GZIP: Final = zlib.MAX_WBITS | 16


class Body:
    """Collects a body of at most `limit` bytes, before and after decompression, held against a claim on the budget."""

    def __init__(self, limit: int, claim: Claim, *, gzip: bool) -> None:
        self._limit = limit
        self._claim = claim
        self._gzip = zlib.decompressobj(GZIP) if gzip else None
        self._wire = 0
        self._content = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes from the wire.

        Raises:
            Refusal: the body is over the limit, the budget is spent, or it is not gzip.
        """
        self._wire += len(chunk)
        if self._wire > self._limit:
            raise refusal.too_large(self._limit)
        if self._gzip is None:
            self._keep(chunk)
        elif chunk:
            try:
                self._inflate(chunk)
            except zlib.error as error:
                raise refusal.malformed(f"the body is not gzip: {error}") from error

    def finish(self) -> bytes:
        """The whole body.

        Raises:
            Refusal: gzip ended early.
        """
        if self._gzip is not None and self._wire and not self._gzip.eof:
            raise refusal.malformed("the gzip body ends early: it was cut off on the way")
        return bytes(self._content)

    def _inflate(self, chunk: bytes) -> None:
        while self._gzip is not None:
            part = self._gzip.decompress(chunk, STEP)
            self._keep(part)
            chunk = self._gzip.unconsumed_tail or self._gzip.unused_data
            if self._gzip.eof and chunk:  # gzip allows several members one after the other
                self._gzip = zlib.decompressobj(GZIP)
            elif not chunk and len(part) < STEP:
                return

    def _keep(self, part: bytes) -> None:
        if len(self._content) + len(part) > self._limit:
            raise refusal.too_large(self._limit)
        self._claim.add(len(part))
        self._content += part
