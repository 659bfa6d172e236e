"""What a shell proposes for a value, by what the option or the argument takes (its metavar); none is a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias, get_args

from samestep import backends

Completer: TypeAlias = Callable[[str], list[tuple[str, str]]]


def completer(metavar: str | None) -> Completer | None:
    """The values that begin as what was typed, each with its help; None where any text may stand."""
    if metavar not in PROPOSED:
        return None
    propose = PROPOSED[metavar]

    def complete(incomplete: str) -> list[tuple[str, str]]:
        return [(value, help) for value, help in propose() if value.startswith(incomplete)]

    return complete


# Each imports what it needs when it is asked: a shell waits for it at every key.


def _lanes() -> Iterable[tuple[str, str]]:
    return [(name, "") for name in backends.names()]


def _tasks() -> Iterable[tuple[str, str]]:
    from . import tasks

    return [(name, tasks.describe(name)) for name in tasks.names()]


def _efforts() -> Iterable[tuple[str, str]]:
    from .measure.efforts import EFFORTS

    return [(name, f"{effort.blocks} blocks") for name, effort in EFFORTS.items()]


def _ends() -> Iterable[tuple[str, str]]:
    from .measure.efforts import UNTIL

    return [(name, f"{effort.looks[0]} to {effort.blocks} blocks") for name, effort in UNTIL.items()]


def _devices() -> Iterable[tuple[str, str]]:
    from .measure.request import DEVICES

    return [(name, "") for name in DEVICES]


def _threads() -> Iterable[tuple[str, str]]:
    return [("one", "each lane on one core"), ("all", "each framework as shipped")]


def _dtypes() -> Iterable[tuple[str, str]]:
    from samestep.backends.spec import Dtype

    return [(name, "") for name in get_args(Dtype)]


def _missing() -> Iterable[tuple[str, str]]:
    from samestep.backends.dataset_spec import Missing

    return [(name, "") for name in get_args(Missing)]


def _formats() -> Iterable[tuple[str, str]]:
    from .report.tables import FORMATS

    return [(name, "") for name in FORMATS]


def _words() -> Iterable[tuple[str, str]]:
    from .report.words import meanings

    return [(name, "") for name in meanings()]


PROPOSED: dict[str | None, Callable[[], Iterable[tuple[str, str]]]] = {
    "LANE": _lanes,
    "TASK": _tasks,
    "EFFORT": _efforts,
    "END": _ends,
    "DEVICE": _devices,
    "THREADS": _threads,
    "DTYPE": _dtypes,
    "WHAT": _missing,
    "FORMAT": _formats,
    "WORD": _words,
}
