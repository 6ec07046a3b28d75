"""The schema's SQL files: which there are for a grade, in which order, and what a file's statements are.

A name that starts with four digits is run once, and the digits order all folders together; the others are repeatable.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gigawatch_database.grade import Grade

FOLDERS: dict[Grade, tuple[str, ...]] = {
    "community": ("migrations", "grade/timescale", "grade/community", "views"),
    "apache": ("migrations", "grade/timescale", "views"),
    "plain": ("migrations", "grade/plain", "views"),
}

# What may hold a ';' that ends no statement, and the ';' that does. Backslash strings and BEGIN ATOMIC are not used here.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | (\$\w*\$).*?\1 | --[^\n]* | /\*.*?\*/ | (;)""", re.DOTALL | re.VERBOSE
)
_VIEW = re.compile(r"^CREATE (?:OR REPLACE )?VIEW (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class File:
    """One file of the schema; `name` is its path under sql/."""

    name: str
    body: str

    @property
    def number(self) -> int | None:
        """Its place in the order of run-once files, or None for a repeatable one."""
        found = re.match(r"(\d{4})_", Path(self.name).name)
        return int(found[1]) if found else None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body.encode()).hexdigest()

    @property
    def views(self) -> list[str]:
        """The views that it defines."""
        return _VIEW.findall(self.body)

    def statements(self) -> Iterator[tuple[int, str]]:
        """Each statement and the number of its first line."""
        start = 0
        for token in (*_TOKEN.finditer(self.body), None):
            if token is None or token[2]:
                text = self.body[start : token.start() if token else None]
                bare = re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
                if bare.strip():
                    lead = re.match(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", text, re.DOTALL)
                    begin = start + (lead.end() if lead else 0)
                    yield self.body.count("\n", 0, begin) + 1, self.body[begin : start + len(text)]
                start = token.end() if token else start


def read(grade: Grade, root: Path | None = None) -> list[File]:
    """The files of a grade: run-once ones by number, then repeatable ones by name."""
    root = root or Path(str(resources.files("gigawatch_database") / "sql"))
    found = [
        File(path.relative_to(root).as_posix(), path.read_text("utf-8"))
        for folder in FOLDERS[grade]
        for path in (root / folder).rglob("*.sql")
    ]
    return sorted(found, key=lambda file: (file.number is None, file.number or 0, file.name))
