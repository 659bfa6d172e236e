"""Why a file cannot be trained on as it is, each fault with the options that fix it, ready to be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..console.errors import InputError


class Fault(NamedTuple):
    """What is wrong, and the options that fix it, one way or another; the first way is proposed.

    `else_do`: what can be done instead that is no option to paste.
    """

    text: str
    ways: tuple[str, ...]
    else_do: str = ""


def as_option(name: str, values: Iterable[str]) -> str:
    """An option as it is typed in a shell, once for each value."""
    texts = (
        f"={shlex.quote(value)}" if value.startswith("-") else f" {shlex.quote(value)}" for value in values
    )
    return " ".join(f"--{name}{text}" for text in texts)


def refuse(name: str, faults: Sequence[Fault]) -> None:
    """Raise InputError with all faults of a file in one line, and what fixes all of them; nothing without any."""
    if not faults:
        return
    sentences = [f"{fault.text}: {_either(fault)}" for fault in faults]
    if len(faults) > 1:
        fixes = dict.fromkeys(fault.ways[0] for fault in faults)
        sentences.append(f"or all of it at once: `{' '.join(fixes)}`")
    raise InputError(f"{name}: {'; '.join(sentences)}")


def _either(fault: Fault) -> str:
    return " or ".join([f"`{way}`" for way in fault.ways] + ([fault.else_do] if fault.else_do else []))
