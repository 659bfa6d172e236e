"""One trap between the frameworks: code that was run, with what it gave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """Code in one framework, and the text of its value."""

    framework: str
    code: str
    gives: str


@dataclass(frozen=True)
class Trap:
    """One trap in a sentence or two, and the lines that show it."""

    says: str
    shown: tuple[Shown, ...]
