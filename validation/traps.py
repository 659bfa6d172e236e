"""Experiment: lanes that go wrong, beside lanes that do not. Is each caught, with its cause, and no other?"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from samestep.benchmarks import tasks
from samestep.benchmarks.analysis import RecordAnalysis, Verdict
from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.measure import RunRequest, measure
from samestep.benchmarks.measure.efforts import WorkerLimits
from samestep.benchmarks.record.plan import Effort
from validation.trap_lanes import EXPECTED, WITHOUT_GAIN

MODULE = "validation.trap_lanes"
SESSIONS = 10
HONEST = "numpy:tuned"  # the lane that those without gain are made from
GAIN = 0.1  # of its time: less is noise
CORRECT = 5  # lanes beside the traps: with more of them the workers fill the memory
EFFORT = Effort(name="traps", blocks=2, rounds=(3, 3), slice_ms=10.0, controls=2)
# those of a real session would only take longer to be reached
LIMITS = WorkerLimits(slice=5.0, memory=1 << 30)


def run(correct: Sequence[str], sessions: int, progress: Progress) -> dict[str, Any]:
    """So many sessions with every trap in them; in each, one of the correct lanes in turn is the baseline."""
    verdicts: list[Verdict] = []
    times: list[dict[str, float]] = []
    for number in range(sessions):
        beside = [correct[(number + i) % len(correct)] for i in range(CORRECT)]

        def report(phase: str, done: int, total: int, text: str, number: int = number) -> None:
            progress("traps", number, sessions, f"{phase}: {text}")

        analysis = session(tuple(dict.fromkeys((*beside, HONEST))), report)
        verdicts += analysis.verdicts
        times.append(cpu_times(analysis))
    rows = [row(trap, verdicts) for trap in EXPECTED] + [without_gain(trap, times) for trap in WITHOUT_GAIN]
    return {"traps": rows, "correct": flagged(verdicts)}


def session(correct: Sequence[str], progress: Progress) -> RecordAnalysis:
    """One session of these lanes and every trap; the first lane is the baseline."""
    lanes = (*correct, *(f"{MODULE}:{trap}" for trap in (*EXPECTED, *WITHOUT_GAIN)))
    with tempfile.TemporaryDirectory() as folder:
        request = RunRequest((tasks.get("lesson"),), lanes, correct[0], EFFORT, Path(folder))
        return RecordAnalysis(measure(request, limits=LIMITS, progress=progress))


def cpu_times(analysis: RecordAnalysis) -> dict[str, float]:
    """The least CPU time of a run of each lane, nanoseconds: other programs lengthen it little."""
    slices = {lane.lane: lane.slices() for lane in analysis}
    return {name: min(t.cpu_ns / t.repeats for t in timed) for name, timed in slices.items() if timed}


def without_gain(trap: str, times: Sequence[dict[str, float]]) -> dict[str, Any]:
    """How often a trap that saves outside the clock took as long as the honest lane that it is made from."""
    ratios = [of[f"{MODULE}:{trap}"] / of[HONEST] for of in times if f"{MODULE}:{trap}" in of]
    slow = sum(ratio > 1 - GAIN for ratio in ratios)
    return {
        "trap": trap,
        "expected": "no gain",
        "sessions": len(times),
        "caught": slow,
        "right": slow,
        "reason": in_words(ratios),
    }


def in_words(ratios: Sequence[float]) -> str:
    """What a lane took, in all sessions together."""
    if not ratios:
        return "no slices"
    usual = f"{median(ratios):.2f} times the honest lane's CPU time"
    return f"{usual}, the median of {len(ratios)} sessions ({min(ratios):.2f} to {max(ratios):.2f})"


def row(trap: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """How often a trap was caught with its cause, and the reason that the last session gave."""
    word, cause = EXPECTED[trap]
    given = [verdict for verdict in verdicts if verdict.lane == f"{MODULE}:{trap}"]
    return {
        "trap": trap,
        "expected": word,
        "sessions": len(given),
        "caught": sum(verdict.word in ("INVALID", "FAILED") for verdict in given),
        "right": sum(verdict.word == word and verdict.reason.startswith(cause) for verdict in given),
        "reason": given[-1].reason if given else "",
    }


def flagged(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts of the correct lanes that raced beside the traps."""
    correct = [verdict for verdict in verdicts if not verdict.lane.startswith(MODULE)]
    barred = [verdict for verdict in correct if verdict.word in ("INVALID", "FAILED")]
    return {
        "lanes": len(correct),
        "words": dict(Counter(verdict.word for verdict in correct)),
        "flagged": [f"{verdict.lane}: {verdict.word}: {verdict.reason}" for verdict in barred],
    }


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each trap that was missed, and for each correct lane that was flagged."""
    missed = (row for row in result["traps"] if row["right"] < row["sessions"])
    lines = [f"not caught with its cause: {row['trap']}: {row['reason']}" for row in missed]
    return [*lines, *result["correct"]["flagged"]]
