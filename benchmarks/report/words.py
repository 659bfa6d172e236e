"""Every word that `samestep explain` can be asked for, and what it says."""

from __future__ import annotations

from ..console.choices import nearest
from ..console.errors import InputError
from .columns import ACCURACY, COLUMNS, COST, SPEED
from .glossary import RANK_SIGNS, Meaning, group


def meanings() -> dict[str, Meaning]:
    """Every word that can be asked for: columns by their headings, concepts, verdicts and marks."""
    columns = {COLUMNS[name].heading: group("columns")[name] for name in ("lane", *SPEED, *COST, *ACCURACY)}
    signs = dict.fromkeys(RANK_SIGNS.values(), group("concepts")["marks"])
    return {**columns, **group("concepts"), **group("verdicts"), **signs}


def meaning_of(word: str) -> str:
    """What a word means, as a paragraph that begins with it.

    Raises:
        InputError: it is none of the words of the tables.
    """
    name = table_word(word)
    return f"{name}: {sentences(name)}"


def table_word(word: str) -> str:
    """A word as the tables write it, whatever its case.

    Raises:
        InputError: it is none of the words of the tables.
    """
    words = meanings()
    name = {known.lower(): known for known in words}.get(word.strip().lower())
    if name is None:
        near = nearest(word, words)
        hint = f"did you mean {near!r}? " if near else ""
        raise InputError(f"no word {word!r} in the tables: {hint}the words are {', '.join(words)}")
    return name


def sentences(name: str) -> str:
    """What one of the words means, with what the word that says more says."""
    words = meanings()
    meaning = words[name]
    return f"{meaning.text}." + (f" {meaning.see}: {words[meaning.see].text}." if meaning.see else "")
