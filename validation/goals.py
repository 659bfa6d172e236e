"""What the experiments with races have to show, and whether their figures show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Row: TypeAlias = Mapping[str, Any]

FALSE_PER_DECIDED = 1 / 1000
DECIDED, UNSTABLE = 0.80, 0.05  # of the comparisons on an idle machine
COVERAGE = (0.93, 0.97)
FOUND = {3: 0.50, 5: 0.90}  # percent of more time: the least part of the sessions that finds it
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
    """Every length of session is judged by itself; conditions and frameworks are pooled. Rounds are quick's."""
    for blocks in sorted({row["blocks"] for row in rows}):
        sessions = [row for row in rows if row["blocks"] == blocks]
        verdicts = pooled(sessions)
        idle = pooled(row for row in sessions if row["condition"] == "idle")
        copies = f"copies, {blocks} blocks of few rounds"
        false, decided = verdicts["FASTER"] + verdicts["SLOWER"], decisions(verdicts)
        yield Goal(
            f"{copies}: at most 1 false FASTER or SLOWER in 1,000 decided verdicts",
            f"{false} in {decided:,}",
            false <= FALSE_PER_DECIDED * decided,
        )
        yield at_least(f"{copies}: at least 80% decided when idle", decisions(idle), idle.total(), DECIDED)
        unstable = idle["UNSTABLE"] / max(1, idle.total())
        yield Goal(f"{copies}: UNSTABLE at most 5% when idle", f"{unstable:.1%}", unstable <= UNSTABLE)
        yield coverage(copies, sessions)
        barred = verdicts["INVALID"] + verdicts["FAILED"]
        text = f"{copies}: no correct lane INVALID or FAILED"
        yield none_of(text, barred, f"{barred} of {verdicts.total():,}")


def permuted(rows: Sequence[Row]) -> Iterator[Goal]:
    """Copies whose arms are permuted within blocks, by design, frameworks pooled."""
    for design in dict.fromkeys(row["design"] for row in rows):
        of_design = [row for row in rows if row["design"] == design]
        false, decided = (sum(row[key] for row in of_design) for key in ("false", "decided"))
        rate = f"{1000 * false / max(1, decided):.2g} in 1,000"
        yield Goal(
            f"permuted copies, {design}: at most 1 false FASTER or SLOWER in 1,000 decided verdicts",
            f"{false} in {decided:,} ({rate})",
            decided > 0 and false <= FALSE_PER_DECIDED * decided,
        )


def coverage(copies: str, rows: Iterable[Row]) -> Goal:
    """How often the intervals hold the true ratio: neither too seldom nor too often."""
    covered, intervals = map(sum, zip(*((row["covered"], row["intervals"]) for row in rows), strict=True))
    reached, (low, high) = covered / max(1, intervals), COVERAGE
    text = f"{copies}: {low:.0%} to {high:.0%} of the 95% intervals hold the true ratio"
    return Goal(text, f"{reached:.1%} of {intervals:,}", low <= reached <= high)


def power(rows: Sequence[Row]) -> Iterator[Goal]:
    """At standard effort, frameworks pooled; 0% are identical copies. Amounts count by what they really cost."""
    verdicts = pooled(row for row in rows if row["percent"] == 0)
    yield at_least(
        "copies, standard effort: at least 80% decided", decisions(verdicts), verdicts.total(), DECIDED
    )
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


def pooled(rows: Iterable[Row]) -> Counter[str]:
    """The verdicts of several rows together."""
    verdicts = Counter[str]()
    for row in rows:
        verdicts.update(row["words"])
    return verdicts


def decisions(verdicts: Counter[str]) -> int:
    """The verdicts that say something."""
    return sum(verdicts[verdict] for verdict in ("FASTER", "SLOWER", "EQUIVALENT"))


def at_least(text: str, part: int, whole: int, least: float) -> Goal:
    reached = part / max(1, whole)
    return Goal(text, f"{reached:.1%} of {whole:,}", reached >= least)


def none_of(text: str, wrong: int, reached: str) -> Goal:
    return Goal(text, reached, not wrong)
