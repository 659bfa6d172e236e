"""The words of a verdict and what each says, for every kind of table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..analysis.tier_rank import TierRank as Mark
from ..analysis.verdicts import VerdictWord as Word

MEANINGS: Mapping[tuple[Word, ...], str] = {
    ("FASTER", "SLOWER"): "the ratio surely lies beyond 2%, corrected for the number of comparisons.",
    ("EQUIVALENT",): "the ratio surely lies within 2%.",
    (
        "UNDECIDED",
    ): "not enough was seen to say either; the note gives the difference that would have been seen.",
    ("UNSTABLE",): "an identical twin would have looked different, the host took the CPU away, or the ratio "
    "drifted: nothing is claimed.",
    (
        "INVALID",
    ): "parity, final parameters, sync, recompilation, memory or threads did not hold: no time is shown.",
    ("FAILED",): "the lane raised, died, hung or ran out of memory: the reason instead of a time.",
}


def shown(word: Word) -> str:
    """A word as tables print it: what needs no attention is in small letters."""
    return word.lower() if word in ("BASELINE", "EQUIVALENT", "UNDECIDED") else word


def explained(found: Iterable[Word]) -> str:
    """What each word that was found says, in one line; empty where none needs it."""
    known = set(found)
    own = {", ".join(shown(w) for w in words if w in known): text for words, text in MEANINGS.items()}
    return " ".join(f"{names}: {text}" for names, text in own.items() if names)


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


SIGNS: Mapping[Mark, str] = {"fastest": "◆", "level": "◇"}


KEY = (
    "◆ the least time of its tier on this task; ◇ not surely more than 2% slower than that. Tiers with one lane "
    "that can be judged have no mark. These marks were tested after the fact, apart from the verdicts."
)
