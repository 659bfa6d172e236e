"""What the experiments on the relay have to show, and whether the figures show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

FALSE_PER_DECIDED = 1 / 1000
DECIDED, UNSTABLE = 0.80, 0.05  # of the comparisons on an idle machine
COVERAGE = (0.93, 0.97)
FOUND = {3: 0.50, 5: 0.90}  # percent of more time: the share of sessions that find it
NEAR = 0.01  # and how far the lane that stands for it may be from it


class Goal(NamedTuple):
    """A goal in words, what was reached, and whether that is enough."""

    text: str
    reached: str
    met: bool


def of(name: str, found: Any) -> list[Goal]:
    """The goals of an experiment, and what its rows (for traps its whole result) say of them."""
    goals: dict[str, Callable[[Any], Iterable[Goal]]] = {"aa": aa, "power": power, "traps": traps}
    return list(goals[name](found))


def traps(result: dict[str, Any]) -> Iterable[Goal]:
    """Every trap in every session, and nobody else."""
    right, sessions = (sum(one[key] for one in result["traps"]) for key in ("right", "sessions"))
    text = "every trap INVALID or FAILED, with its cause"
    yield Goal(text, f"{right} of {sessions}", right == sessions)
    correct = result["correct"]
    wrong = len(correct["flagged"])
    yield Goal(
        "no correct lane beside the traps INVALID or FAILED", f"{wrong} of {correct['lanes']}", not wrong
    )


def aa(rows: list[dict[str, Any]]) -> Iterable[Goal]:
    """Every length of session is judged by itself; conditions and frameworks are pooled. Rounds are quick's."""
    for blocks in sorted({row["blocks"] for row in rows}):
        own = [row for row in rows if row["blocks"] == blocks]
        idle = [row for row in own if row["condition"] == "idle"]
        words, calm = pooled(own), pooled(idle)
        false, decided = words["FASTER"] + words["SLOWER"], decisions(words)
        said = f"copies, {blocks} blocks of few rounds"
        yield Goal(
            f"{said}: at most 1 false FASTER or SLOWER in 1,000 decided verdicts",
            f"{false} in {decided:,}",
            false <= FALSE_PER_DECIDED * decided,
        )
        yield share(f"{said}: at least 80% decided when idle", decisions(calm), calm.total(), DECIDED)
        unstable = calm["UNSTABLE"] / max(1, calm.total())
        yield Goal(f"{said}: UNSTABLE at most 5% when idle", f"{unstable:.1%}", unstable <= UNSTABLE)
        covered, intervals = (sum(row[key] for row in own) for key in ("covered", "intervals"))
        reached = covered / max(1, intervals)
        low, high = COVERAGE
        text = f"{said}: {low:.0%} to {high:.0%} of the 95% intervals hold the true ratio"
        yield Goal(text, f"{reached:.1%} of {intervals:,}", low <= reached <= high)
        barred = words["INVALID"] + words["FAILED"]
        yield Goal(f"{said}: no correct lane INVALID or FAILED", f"{barred} of {words.total():,}", not barred)


def power(rows: list[dict[str, Any]]) -> Iterable[Goal]:
    """At standard effort, frameworks pooled; 0% are identical copies. Amounts count by what they really cost."""
    words = pooled(row for row in rows if row["percent"] == 0)
    yield share("copies, standard effort: at least 80% decided", decisions(words), words.total(), DECIDED)
    false = words["FASTER"] + words["SLOWER"]
    text = "copies, standard effort: none called FASTER or SLOWER"
    yield Goal(text, f"{false} in {decisions(words):,}", not false)
    for percent, least in FOUND.items():
        own = costing(rows, percent)
        words = pooled(own)
        really = " and ".join(f"{100 * (row['mean_ratio'] - 1):.1f}% in {row['framework']}" for row in own)
        text = f"about {percent}% more time, standard effort: found in at least {least:.0%} of the sessions"
        found = share(text, words["SLOWER"], words.total(), least)
        yield found._replace(reached=f"{found.reached} ({really or 'no lane takes so much'})")
    wrong = sum(row["words"].get("FASTER", 0) for row in rows)
    yield Goal("never in the wrong direction", str(wrong), not wrong)


def costing(rows: list[dict[str, Any]], percent: int) -> list[dict[str, Any]]:
    """Of each framework the lane that really takes about so much more time: its work is only meant to."""
    found = []
    for framework in dict.fromkeys(row["framework"] for row in rows):
        own = [row for row in rows if row["framework"] == framework]
        nearest = min(own, key=lambda row: abs(row["mean_ratio"] - 1 - percent / 100))
        if abs(nearest["mean_ratio"] - 1 - percent / 100) <= NEAR:
            found.append(nearest)
    return found


def pooled(rows: Iterable[dict[str, Any]]) -> Counter[str]:
    """The verdicts of several rows together."""
    words = Counter[str]()
    for row in rows:
        words.update(row["words"])
    return words


def decisions(words: Counter[str]) -> int:
    return sum(words[word] for word in ("FASTER", "SLOWER", "EQUIVALENT"))


def share(text: str, part: int, whole: int, least: float) -> Goal:
    reached = part / max(1, whole)
    return Goal(text, f"{reached:.1%} of {whole:,}", reached >= least)
