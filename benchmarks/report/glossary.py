"""What the words and marks of the tables mean (static/words.toml), and how they are written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from ..analysis.tier_rank import TierRank
from ..analysis.verdicts import VerdictWord

RANK_SIGNS: Mapping[TierRank, str] = {"fastest": "◆", "level": "◇"}


class Meaning(NamedTuple):
    """What a word means, in sentences without the last full stop, and the word that says more."""

    text: str
    see: str = ""


@cache
def group(name: str) -> Mapping[str, Meaning]:
    """The meanings of a group: "columns" (by the name in CSV), "verdicts" or "concepts"."""
    place = resources.files("samestep.benchmarks.report").joinpath("static", "words.toml")
    entries = tomllib.loads(place.read_text(encoding="utf-8"))[name]
    return {word: Meaning(**entry) for words, entry in entries.items() for word in words.split(", ")}


def by_meaning(words: Mapping[str, Meaning]) -> dict[str, str]:
    """What words mean, those of one meaning together: "FASTER, SLOWER"."""
    names: dict[Meaning, list[str]] = {}
    for word, meaning in words.items():
        names.setdefault(meaning, []).append(word)
    return {", ".join(alike): f"{meaning.text}." for meaning, alike in names.items()}


def shown(word: VerdictWord) -> str:
    """A word as tables print it: what needs no attention is in small letters."""
    return word.lower() if word in ("BASELINE", "EQUIVALENT", "UNDECIDED") else word


def explained(words: Iterable[VerdictWord]) -> str:
    """What each of some verdicts says, in one line; the baseline, which is named above it, needs none."""
    present = {shown(word) for word in words if word != "BASELINE"}
    said = by_meaning({word: meaning for word, meaning in group("verdicts").items() if word in present})
    return " ".join(f"{names}: {text}" for names, text in said.items())


def rank_key() -> str:
    """What the signs of a tier say."""
    return f"{group('concepts')['marks'].text}."


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
