"""YAML that remembers its places: every complaint names file, line and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import yaml

from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """One value of a document: where it stands and under which key."""

    path: Path
    key: str
    node: yaml.Node

    @property
    def line(self) -> int:
        """The line of the value, from 1."""
        return self.node.start_mark.line + 1

    @property
    def first_line_of_text(self) -> int:
        """The line on which the text of a scalar begins: a block (`|`) begins below its indicator."""
        block = isinstance(self.node, yaml.ScalarNode) and self.node.style in ("|", ">")
        return self.line + (1 if block else 0)

    def refuse(self, complaint: str, line: int | None = None) -> NoReturn:
        """End with an error that names this place."""
        raise ConfigurationError(f"{self.path}:{line or self.line}: {self.key}: {complaint}")

    def table(self, known: tuple[str, ...]) -> dict[str, Place]:
        """The values of a mapping by key; refuses a key that is unknown or stands twice."""
        return {
            key: place
            if key in known
            else place.refuse(f"unknown key; {self.key or 'the file'} knows {', '.join(known)}")
            for key, place in self.entries()
        }

    def entries(self) -> Iterator[tuple[str, Place]]:
        """The keys and values of a mapping, in order; refuses a key that stands twice."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse("must be a mapping (key: value)")
        seen: set[str] = set()
        for key_node, value_node in self.node.value:
            key = Place(self.path, f"{self.key} key".lstrip(), key_node).text()
            place = Place(self.path, f"{self.key}.{key}".lstrip("."), value_node)
            if key in seen:
                place.refuse("stands twice", line=key_node.start_mark.line + 1)
            seen.add(key)
            yield key, place

    def items(self) -> list[Place]:
        """The values of a list, in order."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.refuse("must be a list (lines that start with '- ')")
        return [Place(self.path, f"{self.key}[{index}]", node) for index, node in enumerate(self.node.value)]

    def text(self) -> str:
        """The value as it is written, numbers and booleans too."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.refuse("must be text")
        return self.node.value


def read(path: Path) -> Place:
    """The document in a file.

    Raises:
        ConfigurationError: the file cannot be read or is not YAML.
    """
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigurationError(f"{path}{line}: is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: is not YAML: {error}") from error
    if node is None:
        raise ConfigurationError(f"{path}: is empty; a rule file begins with 'groups:'")
    return Place(path, "", node)
