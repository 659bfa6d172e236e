"""The words of a verdict and the signs of a tier, and what each says, for every kind of table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..analysis.tier_rank import TierRank
from ..analysis.verdicts import VerdictWord

MEANINGS: Mapping[tuple[VerdictWord, ...], str] = {
    (
        "FASTER",
        "SLOWER",
    ): "the ratio lies beyond 2% at the 5% level, corrected for the number of comparisons.",
    ("EQUIVALENT",): "the ratio lies within 2% at that level.",
    ("UNDECIDED",): "neither was shown; the note gives the difference that would have been seen. "
    "An interval is of one comparison alone; the word is corrected for all.",
    (
        "UNSTABLE",
    ): "an identical twin took another time, the host took the CPU away, or the ratio drifted, of the lane "
    "or of its baseline: no claim.",
    ("INVALID",): "the work was not proven, or its times do not count: the reason instead of a time.",
    ("FAILED",): "the lane raised, died, hung or ran out of memory: the reason instead of a time.",
}


def shown(word: VerdictWord) -> str:
    """A word as tables print it: what needs no attention is in small letters."""
    return word.lower() if word in ("BASELINE", "EQUIVALENT", "UNDECIDED") else word


def explained(words: Iterable[VerdictWord]) -> str:
    """What each of some words says, in one line; empty where none needs it."""
    present = set(words)
    names = {
        ", ".join(shown(word) for word in group if word in present): text for group, text in MEANINGS.items()
    }
    return " ".join(f"{name}: {text}" for name, text in names.items() if name)


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


RANK_SIGNS: Mapping[TierRank, str] = {"fastest": "◆", "level": "◇"}
RANK_KEY = (
    "◆ the least time of its tier on this task; ◇ not more than 2% slower than that at the 5% level. "
    "A tier has no mark where a lane of it has no time or cannot be judged, or where it has one lane alone. The "
    "marks are tests after the fact, and no part of the verdicts."
)
