"""`samestep explain`: what a word, a column or a mark of the tables means."""

from __future__ import annotations

from collections.abc import Sequence

from ..report.text_table import prose
from ..report.words import meaning_of, meanings


def explain(words: Sequence[str]) -> int:
    """Print what each of some words means; without any, all of them.

    Raises:
        InputError: a word is none of the tables'.
    """
    print(prose("\n".join(map(meaning_of, words or meanings()))))
    return 0
