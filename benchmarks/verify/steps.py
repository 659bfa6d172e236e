"""The certificates of a record, on data, order and start that are made anew."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..accuracy.learning_curve import learning_curve
from ..accuracy.scores import accuracy
from ..console.errors import InputError
from ..datasets import Split
from ..parity.array_digest import digest
from ..parity.certificate import MOST_KEPT, reason_of
from ..record import Accuracy, AnyRecord, Certified, PlannedWork
from .certificates import RemadeWork, disagreements
from .closeness import alike, near
from .findings import Findings
from .planned_works import check_work
from .remake import remake


def check_steps(
    findings: Findings,
    record: AnyRecord,
    planned: PlannedWork,
    file: str | None,
    begun: Callable[[int, str], None] = lambda proofs, what: None,
) -> None:
    """The certificates of a task, on its data made anew; `begun` hears which of all certificates is next."""
    name = planned.task.name
    try:
        data = remake(planned.task, file)
        if data.digest() == planned.data:
            check_work(findings, record, planned, data)
    except InputError as error:
        findings.skip(f"the steps of {name}: {error}")
        return
    remade = RemadeWork(planned.task, data, record.plan.effort.kept)
    same = remade.digest == planned.data
    findings.compare("data sets", same, f"{name}: the data are not those that were recorded")
    if same:
        for number, proof in enumerate(record.certified):
            if proof.task == name:
                begun(number, f"{name}, {proof.lane}")
                _certificate(findings, proof, planned, remade, data)


def _certificate(
    findings: Findings, proof: Certified, planned: PlannedWork, remade: RemadeWork, data: Split
) -> None:
    """A lane's certificate: what it was about, every kept step, and the accuracy of what it ends in."""
    certificate, where = proof.certificate, f"{proof.lane} on {proof.task}"
    findings.compare(
        "lanes", certificate.lane == proof.lane, f"{where}: the certificate is {certificate.lane}'s"
    )
    kept = []
    for judgement in (evidence.judgement for evidence in certificate.evidence):
        if judgement.status == "not run":
            findings.skip(f"the {judgement.dtype} steps of {where}: {judgement.reason}")
        else:
            kept.append(judgement.kept)
    findings.count("certificates")
    findings.count("steps", sum(map(len, kept)))
    if certificate.status == "pass" and not all(kept):
        findings.skip("the steps of certificates that keep none")
    try:
        faults = disagreements(certificate, remade, planned.steps)
        findings.wrong += [f"{where}: {fault}" for fault in faults]
        if certificate.evidence:
            same = certificate.reason == reason_of(certificate.evidence)
            fault = f"{where}: the reason of its certificate does not follow from its evidence"
            findings.declared("reasons", same, fault)
        _ending(findings, proof, planned, data)
        _curve(findings, proof, planned, data)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # numbers that nobody foresaw
        message = " ".join(str(error).split())
        findings.wrong.append(
            f"{where}: its certificate cannot be judged ({type(error).__name__}: {message})"
        )


def _ending(findings: Findings, proof: Certified, planned: PlannedWork, data: Split) -> None:
    """The final parameters of a certificate, and the accuracy that they have on the data."""
    certificate, where = proof.certificate, f"{proof.lane} on {proof.task}"
    if proof.accuracy is None:
        return
    shapes, dtype = planned.task.parameters, planned.task.dtype
    if certificate.final is None:
        small = sum(map(math.prod, shapes.values())) <= MOST_KEPT
        findings.compare("accuracies", not small, f"{where}: an accuracy without final parameters")
        findings.skip("the accuracy of models whose final parameters are not kept")
        return
    final = {name: np.array(certificate.final[name], dtype).reshape(shape) for name, shape in shapes.items()}
    same = bool(certificate.evidence) and digest(final) == certificate.evidence[-1].final
    findings.compare("final parameters", same, f"{where}: the final parameters are not the certified ones")
    remade = accuracy(planned.task, data, final)
    scores = _numbers(remade), _numbers(proof.accuracy)
    close = all(near(*pair) for pair in zip(*scores, strict=True))
    findings.compare("accuracies", close, f"{where}: the accuracy is not that of the final parameters")
    reason = remade.no_excess
    same = proof.accuracy.no_excess == reason
    findings.declared("reasons", same, f"{where}: the reason for no excess is {reason!r}")


def _numbers(scores: Accuracy) -> list[float | None]:
    return [value for name, value in scores.model_dump().items() if name != "no_excess"]


def _curve(findings: Findings, proof: Certified, planned: PlannedWork, data: Split) -> None:
    """The learning curve, from the kept steps."""
    evidence = proof.certificate.evidence
    kept = evidence[-1].judgement.kept if evidence else ()
    if not proof.curve:
        return
    remade = learning_curve(planned.task, data, kept)
    same = alike(*([point.model_dump() for point in points] for points in (remade, proof.curve)))
    fault = f"{proof.lane} on {proof.task}: the learning curve is not that of the kept steps"
    findings.compare("learning curves", same, fault)
