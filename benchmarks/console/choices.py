"""What a user may choose from: one line, with the nearest match, for a name that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from .errors import InputError

S = TypeVar("S", bound=str)


def pick(what: str, value: str, known: Sequence[S]) -> S:
    """The one of the known names that the value is.

    Raises:
        InputError: it is none of them.
    """
    for name in known:
        if name == value:
            return name
    near = nearest(value, known)
    hint = f"did you mean {near!r}? " if near else ""
    raise InputError(f"unknown {what} {value!r}: {hint}choose from {', '.join(known)}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to this one, whatever its case; None when none is near."""
    by_lower = {other.lower(): other for other in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def by_reason(reasons: Mapping[str, str]) -> str:
    """Names with the reason against each, those of one reason together."""
    names = {why: [name for name in reasons if reasons[name] == why] for why in reasons.values()}
    return "; ".join(f"{', '.join(group)}: {why}" for why, group in names.items())
