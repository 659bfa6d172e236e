"""Experiment: how much of its bound does every lane use on every named task?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samestep.benchmarks import tasks
from samestep.benchmarks.measure import certify
from samestep.benchmarks.record import Certified
from validation.store import lanes


def run(progress: Callable[[str, int, int, str], None]) -> dict[str, Any]:
    """Every lane on every named task, each in a process of its own."""
    found = certify([tasks.get(name) for name in tasks.names()], lanes(), progress=progress)
    return {"tasks": {name: [row(each) for each in found if each.task == name] for name in tasks.names()}}


def row(each: Certified) -> dict[str, Any]:
    """A lane's largest share of the bound in both dtypes, where it was used, and the likely bound beside it."""
    certificate = each.certificate
    result: dict[str, Any] = {"lane": each.lane, "status": certificate.status}
    for piece in certificate.evidence:
        judgement = piece.judgement
        worst = max(judgement.quantities.values(), key=lambda one: one.share)
        result[judgement.dtype] = {
            "share": worst.share,
            "likely": max(one.likely for one in judgement.quantities.values()),
            "slack": worst.slack,
            "step": worst.step,
            "steps": judgement.steps,
            "tensor": worst.tensor,
        }
    return result
