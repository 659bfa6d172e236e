"""JSON from somebody else: bounded, plain, and refused in one line where readers could differ about it.

Nothing of it is executed or unpickled. A regular file of at most MOST_BYTES is read, once. Its JSON is UTF-8 with
at most MOST_VALUES values, at most MOST_KEYS keys in one object and none of them twice, no NaN and no integer
beyond 64 bits. The models bound the lengths of texts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from ..console.errors import InputError

MOST_BYTES = 512 * 1024 * 1024
MOST_VALUES = 8_000_000  # seventy times those of a run of three tasks, nine lanes and twelve blocks
MOST_KEYS = 10_000  # of one object: a name for each parameter of a model, or each package of a host
LARGEST = 2**63 - 1


def content(path: Path, name: str, remedy: str) -> bytes:
    """The bytes of a regular file; `name` is what it should hold, `remedy` what to do where there is none.

    Raises:
        InputError: there is no such file, it cannot be read, or it is too large.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe or a device may never end
            raise InputError(f"{path}: cannot be read (not a file); {remedy}")
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if len(raw) > MOST_BYTES:
        raise InputError(f"{path}: larger than {MOST_BYTES >> 20} MiB, so not a {name} of this project")
    return raw


def parse(raw: bytes) -> Any:
    """The JSON in bytes that anybody may have written.

    Raises:
        ValueError: it is not JSON, or not of the plain kind described above.
        RecursionError: it is nested deeper than Python's stack.
    """
    if not raw.strip():
        raise ValueError("the file is empty")
    if raw.count(b",") > MOST_VALUES:  # what is not nested is separated by commas
        raise ValueError(f"more than {MOST_VALUES:,} values")
    return json.loads(
        raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number, parse_int=_integer
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that comes twice, some readers take the first value and some the last."""
    if len(pairs) > MOST_KEYS:
        raise ValueError(f"more than {MOST_KEYS:,} keys in one object")
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated!r} comes twice in one object")
    return value


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON; what is not finite is written as a string")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -LARGEST <= (value := int(digits)) <= LARGEST:
        raise ValueError(f"the integer {digits[:20]}... does not fit into 64 bits")
    return value
