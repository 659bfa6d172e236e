"""Experiment: how many seeded bugs does the certificate catch, and how many does the doctor name rightly?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from samestep.benchmarks import datasets
from samestep.benchmarks.parity import certify
from validation.mutants import MUTANTS, Mutant


def run(mutants: Sequence[Mutant] = MUTANTS) -> dict[str, Any]:
    """The table of all mutants."""
    return {"mutants": list(examined(mutants))}


def examined(mutants: Sequence[Mutant]) -> Iterator[dict[str, Any]]:
    """What became of each: caught or not, at which step, and the doctor's answer."""
    for mutant in mutants:
        backend = mutant.lane()
        certificate = certify(backend, mutant.task, datasets.load(mutant.task.dataset))
        judgement = certificate.evidence[-1].judgement
        found = judgement.diagnosis
        yield {
            "what": mutant.what,
            "framework": backend.framework,
            "origin": mutant.origin,
            "caught": certificate.status == "fail",
            "dtype": judgement.dtype,
            "step": judgement.failure.step if judgement.failure else None,
            "cause": mutant.cause,
            "named": found.cause if found else None,
            "right": bool(found and found.cause == mutant.cause and re.search(mutant.says, found.sentence)),
            "sentence": found.sentence if found else certificate.reason,
        }
