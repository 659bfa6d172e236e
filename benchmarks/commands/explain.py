"""`samestep explain`: what a word, a column or a mark of the tables means."""

from __future__ import annotations

import json as encoder
from collections.abc import Sequence

from ..report.text_table import prose
from ..report.words import meanings, sentences, table_word


def explain(words: Sequence[str], *, json: bool = False) -> int:
    """Print what each of some words means, as text or as JSON by word; without any, all of them.

    Raises:
        InputError: a word is none of the tables'.
    """
    chosen = [table_word(word) for word in words or meanings()]
    if json:
        print(encoder.dumps({name: sentences(name) for name in chosen}, indent=2, allow_nan=False))
    else:
        print(prose("\n".join(f"{name}: {sentences(name)}" for name in chosen)))
    return 0
