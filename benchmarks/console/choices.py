"""Names that a user may choose from: one line, with the nearest match, for any other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from .errors import InputError

S = TypeVar("S", bound=str)
SHOWN = 12  # names of a long list


def pick(what: str, value: str, choices: Sequence[S]) -> S:
    """The choice that the value names; `what` says what is chosen.

    Raises:
        InputError: the value is none of the choices.
    """
    for name in choices:
        if name == value:
            return name
    near = nearest(value, choices)
    hint = f"did you mean {near!r}? " if near else ""
    raise InputError(f"unknown {what} {value!r}: {hint}choose from {', '.join(choices)}")


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice nearest to a name, whatever its case; None when none is near."""
    by_lower = {choice.lower(): choice for choice in choices}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None


def counted(number: float, noun: str) -> str:
    """A number of things: 1 row, 2,000 rows, 0.5 CPUs."""
    text = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{text} {noun}" if number == 1 else f"{text} {noun}s"


def by_reason(reasons: Mapping[str, str]) -> str:
    """Names with the reason against each, those of one reason together."""
    names = {why: [name for name in reasons if reasons[name] == why] for why in reasons.values()}
    return "; ".join(f"{', '.join(group)}: {why}" for why, group in names.items())


def first_names(names: Sequence[str], most: int = SHOWN) -> str:
    """Names with commas; of a long list the first ones, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
