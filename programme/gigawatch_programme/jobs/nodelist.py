"""Slurm's short form of node names: `n[01-03,07],login1` is n01, n02, n03, n07, login1."""

from __future__ import annotations

import itertools
import re
from typing import Final

MAX_NODES: Final = 100_000
_PART: Final = re.compile(r"(?:[^,\[\]\s]|\[[0-9,-]+\])+")
_RANGE: Final = re.compile(r"([0-9]{1,12})(?:-([0-9]{1,12}))?")


def expand(text: str) -> list[str]:
    """The names, in order.

    Raises:
        ValueError: it is not a list of nodes, or names more than `MAX_NODES`.
    """
    names: list[str] = []
    position = 0
    while position < len(text) or position == 0:
        found = _PART.match(text, position)
        if found is None or (found.end() < len(text) and text[found.end()] != ","):
            raise ValueError(f"{text[:60]!r} is not a list of nodes, such as n[01-03,07]")
        pieces = [_choices(piece) for piece in re.split(r"(\[[^\]]*\])", found[0]) if piece]
        names.extend("".join(chosen) for chosen in itertools.islice(itertools.product(*pieces), MAX_NODES + 1))
        if len(names) > MAX_NODES:
            raise ValueError(f"names more than {MAX_NODES} nodes")
        position = found.end() + 1
        if position == len(text):
            raise ValueError(f"{text[:60]!r} ends with a comma")
    return names


def _choices(piece: str) -> list[str]:
    if not piece.startswith("["):
        return [piece]
    chosen: list[str] = []
    for part in piece[1:-1].split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            raise ValueError(f"[{part}] is not a range, such as 01-03")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first >= MAX_NODES:
            raise ValueError(f"[{part}] is not a range from low to high, of at most {MAX_NODES}")
        chosen += [str(number).zfill(len(found[1])) for number in range(first, last + 1)]
    return chosen
