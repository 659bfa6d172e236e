"""Records in which the host took time away from some lanes, so that these are UNSTABLE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import Record
from tests.helpers.page_records import EVEN
from tests.helpers.records import record

RATIOS = {"jax": [0.5 * value for value in EVEN], "numpy": [0.8 * value for value in EVEN]}
COLD = {"torch": 0.02, "jax": 1.0, "numpy": 1.0}


def stolen(*lanes: str) -> Callable[[str, int, int], Mapping[str, Any]]:
    """The change of `records.record` that takes more than a tenth of the time of some lanes away."""
    return lambda lane, block, round: {"steal_ns": 10_000_000} if lane in lanes else {}


def analyzed(*unstable: str, **options: Any) -> RecordAnalysis:
    """jax and numpy beside torch, some of them unstable."""
    return RecordAnalysis(record(RATIOS, change=stolen(*unstable), cold=COLD, **options))


def with_stolen(made: Record, *lanes: str, task: str = "") -> Record:
    """The record with a quarter of the time of some lanes taken away, on one task or on all."""
    blocks = []
    for block in made.blocks:
        pieces = (
            piece.model_copy(update={"steal_ns": piece.span_ns // 4})
            if piece.lane in lanes and task in ("", piece.task)
            else piece
            for piece in block.slices
        )
        blocks.append(block.model_copy(update={"slices": tuple(pieces)}))
    return made.model_copy(update={"blocks": tuple(blocks)})
