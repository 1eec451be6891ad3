"""Reading a blueprint: from a YAML file to a checked document, or to all that is wrong with it."""

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tenantry.directory.blueprints.checks import check
from tenantry.directory.blueprints.errors import BlueprintInvalid, BlueprintProblem
from tenantry.directory.blueprints.shape import (
    BlueprintDocument,
    Narrowed,
    PermissionShape,
    PersonShape,
    PlanShape,
    ResourceShape,
    RoleShape,
)
from tenantry.directory.blueprints.source import FieldPath, Plain, Source, did_you_mean, field_name

__all__ = ["BlueprintDocument", "BlueprintInvalid", "BlueprintProblem", "load_blueprint"]

_MENDING_ROUNDS = 4
_PLACEHOLDERS = {"email": "missing@example.org"}

_MESSAGES = {
    "dict_type": "must be a mapping of keys to values",
    "missing": "is missing",
    "model_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
}


def load_blueprint(path: Path) -> BlueprintDocument:
    """Read and check one blueprint.

    Raises ``BlueprintInvalid``, which names file, line and field of every problem: first of
    reading, which end it; else those of shape and of meaning together.
    """
    source = Source(path)
    document = _shaped(source)
    if document is not None:
        check(document, source)
    if document is None or source.problems:
        raise source.refuse()
    return document


def _shaped(source: Source) -> BlueprintDocument | None:
    """The document; misshapen parts are reported and left out, so that the rest can be checked."""
    data = deepcopy(source.data)
    if not isinstance(data, dict):
        source.add((), "must be a mapping that begins with `blueprint:`")
        return None
    reported = {problem.field for problem in source.problems}
    for round_ in range(_MENDING_ROUNDS):
        try:
            return BlueprintDocument.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in details:
            path = _path(detail, data)
            if round_ == 0 and field_name(path) not in reported:
                source.add(path, _message(detail, path))
            _mend(data, path, absent=detail["type"] == "missing")
    return None


def _path(detail: ErrorDetails, data: Plain) -> FieldPath:
    """Where the problem lies in the file; steps that only our types have are left out."""
    path: FieldPath = ()
    for step in detail["loc"]:
        inside = _inside(data, path)
        if isinstance(inside, list) or (isinstance(inside, dict) and step in inside):
            path = (*path, step)
    return (*path, detail["loc"][-1]) if detail["type"] == "missing" else path


def _inside(data: Plain, path: FieldPath) -> Plain:
    for step in path:
        if isinstance(data, dict):
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step] if step < len(data) else None
    return data


def _mend(data: Plain, path: FieldPath, *, absent: bool) -> None:
    """Put in what is missing, take out what is misshapen; of a list, the whole."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    parent = _inside(data, path[:-1])
    if isinstance(parent, dict):
        name = str(path[-1])
        if absent:
            parent[name] = _PLACEHOLDERS.get(name, "missing")
        else:
            parent.pop(name, None)


def _message(detail: ErrorDetails, path: FieldPath) -> str:
    if detail["type"] == "extra_forbidden":
        shape = _shape_at(path[:-1])
        return f"unknown key{did_you_mean(str(path[-1]), shape.model_fields)}"
    said = re.sub(r"^\w+ should ", "must ", detail["msg"])
    return _MESSAGES.get(detail["type"], said)


def _shape_at(path: FieldPath) -> type[BaseModel]:
    """Whose keys may stand at a path."""
    if not path:
        return BlueprintDocument
    if path[0] == "resources":
        return ResourceShape if len(path) == _ENTRY else Narrowed
    return _SHAPES[str(path[0])]


_ENTRY = 2
"""Steps from the document to one entry of a section."""
_SHAPES: Mapping[str, type[BaseModel]] = {
    "people": PersonShape,
    "permissions": PermissionShape,
    "plans": PlanShape,
    "roles": RoleShape,
    "staff": PersonShape,
    "system_roles": RoleShape,
}
