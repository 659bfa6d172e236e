"""What the experiments with races have to show, and whether their figures show it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from scipy import stats

from samestep.benchmarks.statistics.inference import ALPHA, MARGIN

Row: TypeAlias = Mapping[str, Any]

FALSE_PER_DECIDED = 1 / 1000
LIVE = 1000  # decided verdicts
DECIDED = {"quick": 0.80, "standard": 0.95}  # of the comparisons of small tasks on an idle machine
UNSTABLE = 0.05  # of the comparisons of an idle machine
COVERAGE = (0.93, 0.97)
CLEARLY = 0.005  # beyond the margin by more than a mean ratio of a few sessions is off by
IDENTICAL = "1"  # the true ratio of copies, as `permuted` names it
FOUND = {3: 0.80, 5: 0.99}  # percent of more time: the least part of the sessions that finds it
NEAR = 0.005  # and how far the lane that stands for it may be from it


class Goal(NamedTuple):
    """A goal as a sentence, what was reached, and whether that is enough.

    Open: the count would be enough, and is so small that one from beyond the goal would often be as good.
    """

    text: str
    reached: str
    word: Literal["met", "open", "not met"]


def word(reached: bool, proven: bool = True) -> Literal["met", "open", "not met"]:
    """Not met by its count, met by it, or open where that count proves nothing."""
    return "not met" if not reached else "met" if proven else "open"


def unmet(goals: Iterable[Goal]) -> list[str]:
    """A line for each goal that was not met, or is open."""
    return [f"{goal.word}: {goal.text}: {goal.reached}" for goal in goals if goal.word != "met"]


def traps(result: Row) -> Iterator[Goal]:
    """Every trap in every session, and nobody else."""
    right, sessions = (sum(row[key] for row in result["traps"]) for key in ("right", "sessions"))
    correct, flagged = result["correct"]["lanes"], len(result["correct"]["flagged"])
    yield none_of(
        "every trap INVALID or FAILED, with its cause, or without gain",
        sessions - right,
        f"{right} of {sessions}",
    )
    text = "no correct lane beside the traps INVALID or FAILED"
    yield none_of(text, flagged, f"{flagged} of {correct}")


def aa(rows: Sequence[Row]) -> Iterator[Goal]:
    """Each effort by itself, frameworks pooled. The sessions of standard are made of the blocks of quick's."""
    for effort in dict.fromkeys(row["effort"] for row in rows):
        sessions = [row for row in rows if row["effort"] == effort]
        idle = [row for row in sessions if row["condition"] == "idle"]
        verdicts, copies = pooled(sessions), f"copies, {effort}"
        false, decided = verdicts["FASTER"] + verdicts["SLOWER"], decisions(verdicts)
        yield few_false(copies, false, decided, excluded(false, decided))
        if effort == "quick":
            yield at_least_so_many(f"{copies}: at least {LIVE:,} decided verdicts", decided, LIVE)
        yield from enough_decided(copies, effort, [row for row in idle if row["tasks"] == "small"])
        of_idle = pooled(idle)
        yield at_most(
            f"{copies}: UNSTABLE at most 5% when idle", of_idle["UNSTABLE"], of_idle.total(), UNSTABLE
        )
        yield coverage(copies, idle)
        barred = verdicts["INVALID"] + verdicts["FAILED"]
        text = f"{copies}: no correct lane INVALID or FAILED"
        yield none_of(text, barred, f"{barred} of {verdicts.total():,}")


def few_false(copies: str, false: int, decided: int, beside: str) -> Goal:
    """At most one in 1,000, by a count of 1,000 or more, with what is said of that count."""
    return Goal(
        f"{copies}: at most 1 false FASTER or SLOWER in 1,000 decided verdicts",
        f"{false} in {decided:,}{beside}",
        word(decided > 0 and false <= FALSE_PER_DECIDED * decided, decided >= LIVE),
    )


def excluded(false: int, decided: int) -> str:
    """The rate of mistakes that so many independent verdicts would exclude at the 5% level, behind a count."""
    if not decided:
        return ""
    return f" (if verdicts were independent: below {1000 * most(false, decided):.3g} in 1,000)"


def most(part: int, whole: int) -> float:
    """The largest share with which so small a part is no surprise at the 5% level (Clopper and Pearson, 1934)."""
    return float(stats.binomtest(part, whole, alternative="less").proportion_ci(0.95).high) if whole else 1.0


def least(part: int, whole: int) -> float:
    """The smallest share with which so large a part is no surprise at that level."""
    return 1 - most(whole - part, whole)


def enough_decided(copies: str, effort: str, rows: Sequence[Row]) -> Iterator[Goal]:
    """In the families of one task, and in those of three tasks and eighteen comparisons."""
    for family, words in ((7, "words"), (18, "words_of_18")):
        verdicts = pooled(rows, words)
        text = (
            f"{copies}, small tasks: at least {DECIDED[effort]:.0%} of {family} comparisons decided when idle"
        )
        yield at_least(text, decisions(verdicts), verdicts.total(), DECIDED[effort])


def permuted(rows: Sequence[Row]) -> Iterator[Goal]:
    """Copies under other labels, by samples and design, frameworks pooled; at the margin designs pooled, too."""
    for samples in dict.fromkeys(row["samples"] for row in rows):
        of_samples = [row for row in rows if row["samples"] == samples]
        for design in dict.fromkeys(row["design"] for row in of_samples):
            copies = [row for row in of_samples if (row["design"], row["truth"]) == (design, IDENTICAL)]
            false, decided = (sum(row[key] for row in copies) for key in ("false", "decided"))
            rate = f" ({1000 * false / max(1, decided):.2g} in 1,000)"
            yield few_false(f"relabeled copies of `{samples}`, {design}", false, decided, rate)
        for truth in dict.fromkeys(row["truth"] for row in of_samples if row["truth"] != IDENTICAL):
            yield at_margin(samples, truth, [row for row in of_samples if row["truth"] == truth])


def at_margin(samples: str, truth: str, rows: Sequence[Row]) -> Goal:
    """How often a family has a wrong word where the true ratios are at the margin."""
    keys = "families_wrong", "families_decided", "families"
    wrong, decided, families = (sum(row[key] for row in rows) for key in keys)
    return Goal(
        f"relabeled copies of `{samples}`, {truth}: a wrong word in at most {ALPHA:.0%} of families",
        f"{wrong / families:.1%} of {families:,} ({decided:,} of them have any word)",
        word(wrong <= ALPHA * families),
    )


def coverage(copies: str, rows: Sequence[Row]) -> Goal:
    """How often the intervals hold the true ratio: neither too seldom nor too often."""
    covered, intervals = map(sum, zip(*((row["covered"], row["intervals"]) for row in rows), strict=True))
    reached, (low, high) = covered / max(1, intervals), COVERAGE
    text = f"{copies}: {low:.0%} to {high:.0%} of the 95% intervals hold the true ratio when idle"
    families = sum(row["sessions"] for row in rows)
    proven = low <= least(covered, intervals) <= most(covered, intervals) <= high
    shown = f"{reached:.1%} of {intervals:,}, in {families} sessions"
    return Goal(text, shown, word(low <= reached <= high, proven))


def power(rows: Sequence[Row]) -> Iterator[Goal]:
    """Frameworks pooled; 0% are identical copies. Amounts count by what they really cost."""
    small = [row for row in rows if row["tasks"] == "small"]
    verdicts, share = pooled(row for row in small if row["percent"] == 0), DECIDED["standard"]
    text = f"copies beside more work, standard effort, small tasks: at least {share:.0%} decided"
    yield at_least(text, decisions(verdicts), verdicts.total(), share)
    for words, effort in (("words", "standard"), ("words_until", "until decided")):
        verdicts = pooled((row for row in rows if row["percent"] == 0), words)
        false = verdicts["FASTER"] + verdicts["SLOWER"]
        text = f"copies beside more work, {effort}: none called FASTER or SLOWER"
        yield none_of(text, false, f"{false} in {decisions(verdicts):,}")
        for percent, share in FOUND.items():
            yield found(small, percent, share, words, effort)
    both = "words", "words_until"
    slower = [row for row in rows if row["percent"] > 0]
    wrong = sum(pooled(slower, words)["FASTER"] for words in both)
    of_these = sum(decisions(pooled(slower, words)) for words in both)
    yield none_of("more work: never called FASTER", wrong, f"{wrong} in {of_these:,}")
    less = [row for row in rows if row["mean_ratio"] < math.exp(MARGIN) - CLEARLY]
    more = [row for row in rows if row["mean_ratio"] > math.exp(MARGIN) + CLEARLY]
    below = sum(pooled(less, words)["SLOWER"] for words in both)
    above = sum(pooled(more, words)["EQUIVALENT"] for words in both)
    text = f"more work: none SLOWER clearly below 1.02, none EQUIVALENT clearly above (by over {CLEARLY})"
    yield none_of(text, below + above, f"{below} and {above}")


def found(rows: Sequence[Row], percent: int, share: float, words: str, effort: str) -> Goal:
    """How often the lanes that cost nearest to so much were called slower; not met where a framework has none."""
    lanes = costing(rows, percent)
    verdicts = pooled(lanes, words)
    costs = [f"{100 * (row['mean_ratio'] - 1):.1f}% in {row['framework']}" for row in lanes]
    present = {row["framework"] for row in lanes}
    absent = [name for name in dict.fromkeys(row["framework"] for row in rows) if name not in present]
    shown = ", ".join([*costs, *(f"none of {name} is within {NEAR:.1%} of it" for name in absent)])
    text = f"about {percent}% more time, {effort}, small tasks: found in at least {share:.0%} of the sessions"
    goal = at_least(text, verdicts["SLOWER"], verdicts.total(), share)
    return Goal(text, f"{goal.reached} ({shown})", "not met" if absent else goal.word)


def costing(rows: Sequence[Row], percent: int) -> list[Row]:
    """Of each framework the lane whose time, not its work, is nearest to so much more, if it is near."""

    def distance(row: Row) -> float:
        return abs(float(row["mean_ratio"]) - 1 - percent / 100)

    frameworks = dict.fromkeys(row["framework"] for row in rows)
    nearest = [min((row for row in rows if row["framework"] == name), key=distance) for name in frameworks]
    return [row for row in nearest if distance(row) <= NEAR]


def pooled(rows: Iterable[Row], words: str = "words") -> Counter[str]:
    """The verdicts of several rows together."""
    verdicts = Counter[str]()
    for row in rows:
        verdicts.update(row[words])
    return verdicts


def decisions(verdicts: Counter[str]) -> int:
    """The verdicts that say something."""
    return sum(verdicts[verdict] for verdict in ("FASTER", "SLOWER", "EQUIVALENT"))


def at_least(text: str, part: int, whole: int, share: float) -> Goal:
    """So large a part, or more; open where as many independent ones would not exclude less."""
    reached = part / max(1, whole) >= share
    proven = least(part, whole) >= share
    return Goal(text, f"{part / max(1, whole):.1%} of {whole:,}", word(reached, proven))


def at_most(text: str, part: int, whole: int, share: float) -> Goal:
    """So small a part, or less; open where as many independent ones would not exclude more."""
    reached, proven = part / max(1, whole) <= share, most(part, whole) <= share
    return Goal(text, f"{part / max(1, whole):.1%} of {whole:,}", word(reached, proven))


def at_least_so_many(text: str, number: int, enough: int) -> Goal:
    return Goal(text, f"{number:,}", word(number >= enough))


def none_of(text: str, wrong: int, reached: str) -> Goal:
    return Goal(text, reached, word(not wrong))
