"""What the experiments with races have to show, and whether their figures show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from scipy import stats

from samestep.benchmarks.statistics.inference import ALPHA

Row: TypeAlias = Mapping[str, Any]

FALSE_PER_DECIDED = 1 / 1000
LIVE = 1000  # decided verdicts
DECIDED = {"quick": 0.80, "standard": 0.95}  # of the comparisons of small tasks on an idle machine
UNSTABLE = 0.05  # of the comparisons of an idle machine
COVERAGE = (0.93, 0.97)
IDENTICAL = "1"  # the true ratio of copies, as `permuted` names it
FOUND = {3: 0.80, 5: 0.99}  # percent of more time: the least part of the sessions that finds it
NEAR = 0.01  # and how far the lane that stands for it may be from it


class Goal(NamedTuple):
    """A goal as a sentence, what was reached, and whether that is enough."""

    text: str
    reached: str
    met: bool


def unmet(goals: Iterable[Goal]) -> list[str]:
    """A line for each goal that was not met."""
    return [f"not met: {goal.text}: {goal.reached}" for goal in goals if not goal.met]


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
        unstable, of_idle = pooled(idle)["UNSTABLE"], pooled(idle).total()
        text, share = f"{copies}: UNSTABLE at most 5% when idle", unstable / max(1, of_idle)
        yield Goal(text, f"{share:.1%} of {of_idle:,}", share <= UNSTABLE)
        yield coverage(copies, idle)
        barred = verdicts["INVALID"] + verdicts["FAILED"]
        text = f"{copies}: no correct lane INVALID or FAILED"
        yield none_of(text, barred, f"{barred} of {verdicts.total():,}")


def few_false(copies: str, false: int, decided: int, beside: str) -> Goal:
    """At most one in 1,000, by the count, with what is said of that count."""
    return Goal(
        f"{copies}: at most 1 false FASTER or SLOWER in 1,000 decided verdicts",
        f"{false} in {decided:,}{beside}",
        decided > 0 and false <= FALSE_PER_DECIDED * decided,
    )


def excluded(false: int, decided: int) -> str:
    """The rate of mistakes that so many independent verdicts would exclude at the 5% level, behind a count."""
    if not decided:
        return ""
    most = stats.binomtest(false, decided, alternative="less").proportion_ci(0.95).high
    return f" (if verdicts were independent: below {1000 * most:.3g} in 1,000)"


def enough_decided(copies: str, effort: str, rows: Sequence[Row]) -> Iterator[Goal]:
    """In the families of one task, and in those of three tasks and eighteen comparisons."""
    for family, words in ((7, "words"), (18, "words_of_18")):
        verdicts = pooled(rows, words)
        text = (
            f"{copies}, small tasks: at least {DECIDED[effort]:.0%} of {family} comparisons decided when idle"
        )
        yield at_least(text, decisions(verdicts), verdicts.total(), DECIDED[effort])


def permuted(rows: Sequence[Row]) -> Iterator[Goal]:
    """Copies under other labels, by design, frameworks pooled; at the margin by truth, designs pooled, too."""
    for design in dict.fromkeys(row["design"] for row in rows):
        copies = [row for row in rows if (row["design"], row["truth"]) == (design, IDENTICAL)]
        false, decided = (sum(row[key] for row in copies) for key in ("false", "decided"))
        rate = f" ({1000 * false / max(1, decided):.2g} in 1,000)"
        yield few_false(f"relabeled copies, {design}", false, decided, rate)
    for truth in dict.fromkeys(row["truth"] for row in rows if row["truth"] != IDENTICAL):
        at_margin = [row for row in rows if row["truth"] == truth]
        wrong, families = (sum(row[key] for row in at_margin) for key in ("families_wrong", "families"))
        text = f"relabeled copies, {truth}: a wrong word in at most {ALPHA:.0%} of families"
        yield Goal(text, f"{wrong / families:.1%} of {families:,}", wrong <= ALPHA * families)


def coverage(copies: str, rows: Sequence[Row]) -> Goal:
    """How often the intervals hold the true ratio: neither too seldom nor too often."""
    covered, intervals = map(sum, zip(*((row["covered"], row["intervals"]) for row in rows), strict=True))
    reached, (low, high) = covered / max(1, intervals), COVERAGE
    text = f"{copies}: {low:.0%} to {high:.0%} of the 95% intervals hold the true ratio when idle"
    families = sum(row["sessions"] for row in rows)
    return Goal(text, f"{reached:.1%} of {intervals:,}, in {families} sessions", low <= reached <= high)


def power(rows: Sequence[Row]) -> Iterator[Goal]:
    """At standard effort, frameworks pooled; 0% are identical copies. Amounts count by what they really cost."""
    verdicts = pooled(row for row in rows if row["percent"] == 0)
    text, least = f"copies, standard effort: at least {DECIDED['standard']:.0%} decided", DECIDED["standard"]
    yield at_least(text, decisions(verdicts), verdicts.total(), least)
    false = verdicts["FASTER"] + verdicts["SLOWER"]
    text = "copies, standard effort: none called FASTER or SLOWER"
    yield none_of(text, false, f"{false} in {decisions(verdicts):,}")
    for percent, least in FOUND.items():
        lanes = costing(rows, percent)
        verdicts = pooled(lanes)
        costs = " and ".join(f"{100 * (row['mean_ratio'] - 1):.1f}% in {row['framework']}" for row in lanes)
        text = f"about {percent}% more time, standard effort: found in at least {least:.0%} of the sessions"
        goal = at_least(text, verdicts["SLOWER"], verdicts.total(), least)
        yield goal._replace(reached=f"{goal.reached} ({costs or 'no lane takes so much'})")
    wrong = sum(row["words"].get("FASTER", 0) for row in rows)
    yield none_of("never in the wrong direction", wrong, str(wrong))


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


def at_least(text: str, part: int, whole: int, least: float) -> Goal:
    reached = part / max(1, whole)
    return Goal(text, f"{reached:.1%} of {whole:,}", reached >= least)


def at_least_so_many(text: str, number: int, least: int) -> Goal:
    return Goal(text, f"{number:,}", number >= least)


def none_of(text: str, wrong: int, reached: str) -> Goal:
    return Goal(text, reached, not wrong)
