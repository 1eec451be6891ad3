"""A YAML file as plain data that remembers the line of every key and value."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

import yaml

from tenantry.directory.blueprints.errors import BlueprintInvalid, BlueprintProblem

FieldPath: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

MAX_BYTES = 1_000_000


_PLAIN = {"": None, "null": None, "~": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str")}


class Source:
    """One parsed file: ``data``, and ``problems`` found so far, each with its line.

    Raises ``BlueprintInvalid`` when the file cannot be read or is not YAML; everything less
    is collected, so that one reading reports all there is to mend.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[BlueprintProblem] = []
        self._lines: dict[FieldPath, int] = {(): 1}
        self._seen: set[int] = set()
        self.data: Plain = self._plain(self._compose(), ())

    def add(self, path: FieldPath, message: str) -> None:
        """Report a problem at a field; a field that is missing gets its parent's line."""
        self.problems.append(BlueprintProblem(self.line(path), field_name(path), message))

    def line(self, path: FieldPath) -> int:
        """The line of a field's key, or of the nearest parent that the file has."""
        return self._lines[self.nearest(path)]

    def nearest(self, path: FieldPath) -> FieldPath:
        """The path itself if the file has it, else its nearest parent there."""
        while path not in self._lines:
            path = path[:-1]
        return path

    def keys(self, *path: str) -> frozenset[str]:
        """The keys of the mapping at a path as the file has them, misshapen entries too."""
        inside: Plain = self.data
        for step in path:
            inside = inside.get(step) if isinstance(inside, dict) else None
        return frozenset(inside) if isinstance(inside, dict) else frozenset()

    def refuse(self) -> BlueprintInvalid:
        """All problems as one error, to be raised."""
        return BlueprintInvalid(self.file, self.problems)

    def _compose(self) -> yaml.Node | None:
        try:
            text = self.file.read_bytes()[: MAX_BYTES + 1]
        except OSError as error:
            raise self._fatal(1, f"the file cannot be read: {error.strerror}") from error
        if len(text) > MAX_BYTES:
            raise self._fatal(1, f"the file is larger than {MAX_BYTES} bytes")
        try:
            return yaml.compose(text.decode(), Loader=yaml.BaseLoader)
        except UnicodeDecodeError as error:
            raise self._fatal(text[: error.start].count(b"\n") + 1, "the file is not UTF-8") from error
        except yaml.MarkedYAMLError as error:
            said = " ".join(filter(None, (error.context, error.problem)))
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise self._fatal(line, f"not YAML: {said}") from error
        except yaml.YAMLError as error:
            raise self._fatal(1, f"not YAML: {str(error).splitlines()[0]}") from error
        except RecursionError as error:
            raise self._fatal(1, "nested too deeply") from error

    def _fatal(self, line: int, message: str) -> BlueprintInvalid:
        return BlueprintInvalid(self.file, [BlueprintProblem(line, "", message)])

    def _plain(self, node: yaml.Node | None, path: FieldPath) -> Plain:
        if node is None:
            return None
        self._lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            self.add(path, "anchors and aliases are not supported; write the value out")
        if node.tag not in _TAGS:
            self.add(path, f"the tag {node.tag} is not supported")
        if id(node) in self._seen or node.tag not in _TAGS:
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return dict(self._entries(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, place)) for place, item in enumerate(node.value)]
        quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
        return str(node.value) if quoted else _scalar(str(node.value))

    def _entries(self, node: yaml.MappingNode, path: FieldPath) -> Iterator[tuple[str, Plain]]:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._lines.setdefault((*path, "?"), line)
                self.add((*path, "?"), "a key must be a text")
                continue
            key = str(key_node.value)
            if key in first:
                name = field_name((*path, key))
                message = f"duplicate key; it stands on line {first[key]} already"
                self.problems.append(BlueprintProblem(line, name, message))
                continue
            first[key] = line
            self._lines[*path, key] = line
            yield key, self._plain(value_node, (*path, key))


def _scalar(text: str) -> Plain:
    """Without YAML's surprises: ``on``, ``yes``, ``1:20`` and dates stay the texts they are."""
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def field_name(path: FieldPath) -> str:
    """A path as people write it: ``roles.agent.grants[2]``."""
    name = ""
    for step in path:
        name += f"[{step}]" if isinstance(step, int) else f".{step}" if name else step
    return name


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean `x`?`` where something known looks like it, else nothing."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
