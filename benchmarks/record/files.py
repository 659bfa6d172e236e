"""Records on disk: JSON, written whole or not at all, and read so that every fault of a file is one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json

from samestep.backends.strict_model import LONGEST_TEXT

from ..console.errors import InputError
from ..console.interrupts import raise_interrupts
from . import KEY, SCHEMA_VERSION, WHOLE, AnyRecord
from .bounded_json import content, parse
from .consistency import fault

M = TypeVar("M", bound=BaseModel)
D = TypeVar("D", bound="Document")


class ForeignPart(BaseModel, str_max_length=LONGEST_TEXT):
    """A part of pytest-benchmark's JSON, as far as it is read."""


class Document(ForeignPart):
    """pytest-benchmark's JSON; all of it but our own key is left to pytest-benchmark."""

    samestep: Annotated[AnyRecord, Field(discriminator="schema_version")]


def load(path: str | Path) -> AnyRecord:
    """The record in a run's folder, or in its JSON.

    Raises:
        InputError: there is none, it is too large, or it is not a record that can be read.
    """
    return open_document(path, Document).samestep


def open_document(path: str | Path, kind: type[D]) -> D:
    """pytest-benchmark's JSON with a record in it, as far as `kind` describes it.

    Raises:
        InputError: as for `load`.
    """
    place = Path(path, WHOLE) if os.path.isdir(path) else Path(path)
    raw = content(place, "record", f"name a run's folder or its {WHOLE}")
    with _one_line(place, "record"):
        _check_version(place, parse(raw))
        document = kind.model_validate_json(raw)
        if reason := fault(document.samestep):
            raise ValueError(reason)
    return document


def _check_version(place: Path, document: Any) -> None:
    """Raise unless there is a record, and of a version that is read here."""
    record = document.get(KEY) if isinstance(document, dict) else None
    if not isinstance(record, dict):
        raise InputError(f"{place}: has no {KEY!r} record; was it made by `samestep compare`?")
    version = record.get("schema_version")
    if type(version) is not int or version < 1:
        what = "is missing" if version is None else f"is {str(version)[:20]!r}, not a whole number from 1"
        raise InputError(f"{place}: its schema_version {what}; it is damaged")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{place}: its schema_version is {version}, and this samestep reads up to {SCHEMA_VERSION}: "
            "a newer samestep is needed"
        )


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Models and plain values as JSON; a number that is not finite is a string, which our models read back.

    Raises:
        ValueError: a part of it has no form in JSON.
    """
    return to_json(value, inf_nan_mode="strings", indent=indent).decode()


def reread(kind: type[M], values: Any) -> M:
    """A model from a mapping of JSON's values, as it will be when it has been written to a file and read.

    Raises:
        ValueError: it is none, or one that could not be read from a file.
    """
    text = kind.model_validate_json(json_text(values)).model_dump_json()
    parse(text.encode())
    return kind.model_validate_json(text)


def write(path: str | Path, record: BaseModel) -> None:
    """Write a model as JSON, whole or not at all."""
    write_text(path, json_text(record))


def write_text(path: str | Path, text: str) -> None:
    """Write a file so that it is whole or absent, whatever interrupts it; its folder is there."""
    path = Path(path)
    raise_interrupts()
    partial = path.with_name(f"{_partial_name(path)}{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # a disk that is full, or an interrupt


def remove_partial(path: Path) -> None:
    """Remove what a process that was killed has left of a file that it wrote."""
    for partial in path.parent.glob(f"{_partial_name(path)}*"):
        if partial.name.removeprefix(_partial_name(path)).isdecimal():
            partial.unlink(missing_ok=True)


def _partial_name(path: Path) -> str:
    """The first part of the name of a file that is being written: short, since the whole may have 255 bytes."""
    return f".{path.name[:40]}."


def read_model(path: str | Path, kind: type[M]) -> M:
    """A model from the JSON in a file; every fault of the file is one line.

    Raises:
        InputError: there is no such file, it is too large, or it is not a model of this schema.
    """
    name = kind.__name__.lower()
    return _read(Path(path), kind, name, f"name an existing {name} file")


def _read(path: Path, kind: type[M], name: str, remedy: str) -> M:
    raw = content(path, name, remedy)
    with _one_line(path, name):
        parse(raw)
        return kind.model_validate_json(raw)


@contextmanager
def _one_line(path: Path, name: str) -> Iterator[None]:
    """Whatever is wrong with the contents of a file becomes one line."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # ValidationError is a ValueError
        raise InputError(f"{path}: not a {name} that this version reads ({first_fault(error)})") from error


def first_fault(error: Exception) -> str:
    """The first fault of what was read, on one line."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())[:200]
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part)[:60] for part in fault["loc"])
    return " ".join(f"{place}: {fault['msg']}".removeprefix(": ").split())[:200]
