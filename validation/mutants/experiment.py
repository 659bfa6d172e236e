"""Experiment: how many seeded bugs does the certificate catch, and how many does the doctor name rightly?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import MUTANTS, Mutant
from .ports import PortMutant


def run(mutants: Mapping[str, Mutant | PortMutant] = MUTANTS) -> dict[str, Any]:
    """A row for each mutant."""
    return {"mutants": [row(what, mutant) for what, mutant in mutants.items()]}


def row(what: str, mutant: Mutant | PortMutant) -> dict[str, Any]:
    """Whether the certificate caught it, at which step, and the doctor's answer."""
    certificate = mutant.certificate()
    judgement = certificate.evidence[-1].judgement
    diagnosis = judgement.diagnosis
    named = diagnosis.cause if diagnosis else None
    sentence = diagnosis.sentence if diagnosis else certificate.reason
    return {
        "what": what,
        "framework": mutant.framework,
        "origin": mutant.origin,
        "caught": certificate.status == "fail",
        "dtype": judgement.dtype,
        "step": judgement.failure.step if judgement.failure else None,
        "cause": " or ".join(mutant.causes),
        "named": named,
        "right": named in mutant.causes and bool(re.search(mutant.says, sentence, re.IGNORECASE)),
        "sentence": sentence,
    }


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each mutant that was not caught."""
    return [f"not caught: {row['what']}" for row in result["mutants"] if not row["caught"]]
