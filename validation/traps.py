"""Experiment: lanes that go wrong, beside lanes that do not. Is each caught, with its cause, and nobody else?"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from samestep.benchmarks import tasks
from samestep.benchmarks.analysis.verdicts import Verdict, judge
from samestep.benchmarks.measure import RunRequest, measure
from samestep.benchmarks.measure.efforts import WorkerLimits
from samestep.benchmarks.record.plan import Effort
from validation.campaign import Progress
from validation.store import lanes
from validation.trap_lanes import EXPECTED

MODULE = "validation.trap_lanes"
REPEATS = 10
EFFORT = Effort(name="traps", blocks=2, rounds=(3, 3), slice_ms=10.0, controls=2)
LIMITS = WorkerLimits(
    slice=5.0, memory=1 << 30
)  # those of a real session would only take longer to be reached


def run(repeats: int, progress: Progress) -> dict[str, Any]:
    """So many sessions with every trap in them; in each, one of the correct lanes in turn is the baseline."""
    correct, verdicts = lanes(), list[Verdict]()
    for number in range(repeats):
        # with more than five beside the traps the workers fill the memory
        own = [correct[(number + i) % len(correct)] for i in range(5)]

        def said(phase: str, done: int, total: int, text: str, number: int = number) -> None:
            progress("traps", number, repeats, f"{phase}: {text}")

        verdicts += session(own, said)
    return {"traps": [row(trap, verdicts) for trap in EXPECTED], "correct": flagged(verdicts)}


def session(own: list[str], progress: Progress) -> tuple[Verdict, ...]:
    """The verdicts of one session of these lanes and every trap; the first lane is the baseline."""
    everybody = [*own, *(f"{MODULE}:{trap}" for trap in EXPECTED)]
    with tempfile.TemporaryDirectory() as folder:
        request = RunRequest((tasks.get("lesson"),), tuple(everybody), own[0], EFFORT, Path(folder))
        return judge(measure(request, limits=LIMITS, progress=progress))


def row(trap: str, verdicts: list[Verdict]) -> dict[str, Any]:
    """How often a trap was caught with its cause, and the reason in the words of the last session."""
    word, cause = EXPECTED[trap]
    own = [each for each in verdicts if each.lane == f"{MODULE}:{trap}"]
    right = [each for each in own if each.word == word and each.reason.startswith(cause)]
    return {
        "trap": trap,
        "expected": word,
        "sessions": len(own),
        "caught": sum(each.word in ("INVALID", "FAILED") for each in own),
        "right": len(right),
        "reason": own[-1].reason if own else "",
    }


def flagged(verdicts: list[Verdict]) -> dict[str, Any]:
    """The verdicts of the correct lanes that raced beside the traps."""
    own = [each for each in verdicts if not each.lane.startswith(MODULE)]
    wrong = [f"{each.lane}: {each.word}: {each.reason}" for each in own if each.word in ("INVALID", "FAILED")]
    return {"lanes": len(own), "words": dict(Counter(each.word for each in own)), "flagged": wrong}
