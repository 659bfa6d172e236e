"""Experiment: how much of its bound does every lane use on every named task?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samestep.benchmarks import tasks
from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.measure import certify_lanes
from samestep.benchmarks.measure.able_lanes import unsupported_pairs
from samestep.benchmarks.record import Certified


def run(lanes: Sequence[str], names: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Every lane on every task, each in a process of its own."""
    chosen = [tasks.get(name) for name in names]
    unsupported = unsupported_pairs(chosen, lanes)
    certified = certify_lanes(chosen, lanes, unsupported=unsupported, progress=progress)
    return {"tasks": {name: [row(lane) for lane in certified if lane.task == name] for name in names}}


def row(certified: Certified) -> dict[str, Any]:
    """The largest part of the bound that a lane used in each dtype, and of the probabilistic bound."""
    certificate = certified.certificate
    result: dict[str, Any] = {"lane": certified.lane, "status": certificate.status}
    for piece in certificate.evidence:
        judgement = piece.judgement
        worst = max(judgement.quantities.values(), key=lambda quantity: quantity.share)
        result[judgement.dtype] = {
            "share": worst.share,
            "likely": max(quantity.likely for quantity in judgement.quantities.values()),
            "slack": worst.slack,
            "step": worst.step,
            "steps": judgement.steps,
            "tensor": worst.tensor,
        }
    return result


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each lane that did not pass."""
    rows = ((task, row) for task, rows in result["tasks"].items() for row in rows)
    return [f"{row['lane']} on {task}: {row['status']}" for task, row in rows if row["status"] != "pass"]
