"""Experiment: how many seeded bugs does the certificate catch, and how many does the doctor name rightly?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from samestep.benchmarks.parity import Certificate

from . import MUTANTS, Mutant
from .ports import PortMutant


def run(mutants: Mapping[str, Mutant | PortMutant] = MUTANTS) -> dict[str, Any]:
    """A row for each mutant."""
    return {"mutants": [row(what, mutant) for what, mutant in mutants.items()]}


def row(what: str, mutant: Mutant | PortMutant) -> dict[str, Any]:
    """Whether the certificate caught it, at which step, the doctor's answer, and both without gradients."""
    certificate, blind = mutant.certificate(), mutant.certificate_without_gradients()
    judgement = certificate.evidence[-1].judgement
    return {
        "what": what,
        "framework": mutant.framework,
        "origin": mutant.origin,
        "caught": certificate.status == "fail",
        "dtype": judgement.dtype,
        "step": judgement.failure.step if judgement.failure else None,
        "cause": " or ".join(mutant.causes),
        "named": judgement.diagnosis.cause if judgement.diagnosis else None,
        "right": is_right(mutant, certificate),
        "sentence": sentence_of(certificate),
        "caught_without_gradients": blind.status == "fail",
        "right_without_gradients": is_right(mutant, blind),
    }


def sentence_of(certificate: Certificate) -> str:
    """The doctor's sentence; where he was not asked, the certificate's reason."""
    diagnosis = certificate.evidence[-1].judgement.diagnosis
    return diagnosis.sentence if diagnosis else certificate.reason


def is_right(mutant: Mutant | PortMutant, certificate: Certificate) -> bool:
    """Whether the doctor named the cause, and his sentence holds what it must."""
    diagnosis = certificate.evidence[-1].judgement.diagnosis
    says = re.search(mutant.says, sentence_of(certificate), re.IGNORECASE)
    return bool(diagnosis and diagnosis.cause in mutant.causes and says)


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each mutant that was not caught, with its gradients or without."""
    ways = (("caught", "not caught"), ("caught_without_gradients", "not caught without gradients"))
    return [f"{says}: {row['what']}" for key, says in ways for row in result["mutants"] if not row[key]]
