"""What the words, columns and marks of the tables mean: static/words.toml, for the terminal and for the docs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from ..console.choices import nearest
from ..console.errors import InputError
from .columns import ACCURACY, COLUMNS, COST, SPEED
from .glossary import RANK_SIGNS


class Meaning(NamedTuple):
    """What a word means, in sentences without the last full stop, and the word that says more."""

    text: str
    see: str = ""


@cache
def group(name: str) -> Mapping[str, Meaning]:
    """The meanings of a group: "columns" (by the name in CSV), "verdicts" or "concepts"."""
    place = resources.files("samestep.benchmarks.report").joinpath("static", "words.toml")
    entries = tomllib.loads(place.read_text(encoding="utf-8"))[name]
    return {word: Meaning(**entry) for word, entry in entries.items()}


def meanings() -> dict[str, Meaning]:
    """Every word that can be asked for: columns by their headings, concepts, verdicts and marks."""
    columns = {COLUMNS[name].heading: group("columns")[name] for name in ("lane", *SPEED, *COST, *ACCURACY)}
    signs = dict.fromkeys(RANK_SIGNS.values(), group("concepts")["marks"])
    return {**columns, **group("concepts"), **group("verdicts"), **signs}


def meaning_of(word: str) -> str:
    """What a word means, as a paragraph, with what the word that says more says.

    Raises:
        InputError: it is none of the words of the tables.
    """
    words = meanings()
    name = {known.lower(): known for known in words}.get(word.strip().lower())
    if name is None:
        near = nearest(word, words)
        hint = f"did you mean {near!r}? " if near else ""
        raise InputError(f"no word {word!r} in the tables: {hint}the words are {', '.join(words)}")
    meaning = words[name]
    paragraph = f"{name}: {meaning.text}."
    return f"{paragraph} {meaning.see}: {words[meaning.see].text}." if meaning.see else paragraph
