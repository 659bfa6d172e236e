"""The certificates of a record, made again by its lanes themselves: do they do what the record says?

Only registered lanes that can run here are opened, in processes of their own: a name in a record opens nothing
else. On the same processor with the same packages, kernels and threads every bit must be equal; elsewhere the
ends may be as far apart as two such runs may be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

from samestep import backends
from samestep.backends.interface import Device
from samestep.backends.spec import Task

from ..console.errors import InputError
from ..console.progress import Progress, silent
from ..measure import certification
from ..measure.able_lanes import unsupported_pairs, why_not
from ..parity.certificate import final_distance
from ..record import AnyRecord, Arm, Certified, Record
from ..record.proof import Certificate
from .closeness import alike
from .findings import Findings
from .lane_descriptions import TRAITS
from .origin import MachineDocument, MachineFacts
from .remake import located, remake


def check_against_code(
    findings: Findings,
    document: MachineDocument,
    here: MachineFacts,
    *,
    data: str | None = None,
    progress: Progress = silent,
) -> None:
    """Certify again every lane that can run here, and compare; a note for each lane.

    `here`: what pytest-benchmark says of this machine. `data`: the file of the record's own task.
    """
    record = document.samestep
    tasks, lanes = _tasks(findings, record, data), _lanes(findings, record)
    if not tasks or not lanes:
        return
    _unsupported(findings, record, tasks, lanes)
    plan = record.plan
    fresh = certification(
        tasks,
        lanes,
        device=Device.parse(plan.device),
        threads=plan.threads,
        kept=plan.effort.kept,
        unsupported=plan.unsupported_pairs,
        progress=progress,
    )
    again = Recertification(findings, record, fresh, same_machine=_same_machine(document, here, fresh))
    for lane in lanes:
        again.check(lane)


def _tasks(findings: Findings, record: AnyRecord, file: str | None) -> list[Task]:
    """The tasks whose data can be had here, within the limits of what is made again."""
    tasks = []
    for planned in record.plan.works:
        try:
            remake(planned.task, file)
            tasks.append(located(planned.task, file))
        except InputError as error:
            findings.skip(f"the lanes on {planned.task.name}: {error}")
    return tasks


def _lanes(findings: Findings, record: AnyRecord) -> list[str]:
    """The registered lanes that can run here."""
    lanes, device, registered = [], Device.parse(record.plan.device), backends.names()
    for lane in record.plan.lanes:
        reason = why_not(lane, device) if lane in registered else "no such lane is registered here"
        if reason:
            findings.skip(f"{lane} against its code: {reason}")
        else:
            lanes.append(lane)
    return lanes


def _unsupported(findings: Findings, record: AnyRecord, tasks: Sequence[Task], lanes: Sequence[str]) -> None:
    """The tasks that the plan says a lane cannot do are those that its code says it cannot."""
    recorded, now = record.plan.unsupported_pairs, unsupported_pairs(tasks, lanes)
    for pair in product([task.name for task in tasks], lanes):
        reasons = recorded.get(pair), now.get(pair)
        fault = (
            f"{pair[1]} on {pair[0]}: cannot do it: {reasons[0] or 'no'}; its code says: {reasons[1] or 'no'}"
        )
        findings.declared("tasks of lanes", (reasons[0] is None) == (reasons[1] is None), fault)


def _same_machine(document: MachineDocument, here: MachineFacts, fresh: Record) -> bool:
    """Whether the record was made on the same kind of processor, with the same packages and settings."""
    recorded, now = document.samestep.plan.environment, fresh.plan.environment
    same = ("machine", "cpu", "python", "packages", "settings")
    facts = document.machine_info
    return (
        facts is not None
        and facts.cpu.flags is not None
        and facts.cpu.model_copy(update={"count": None}) == here.cpu.model_copy(update={"count": None})
        and all(getattr(recorded, name) == getattr(now, name) for name in same)
    )


class Recertification:
    """A record beside a fresh one of the same tasks and lanes that was certified just now."""

    def __init__(self, findings: Findings, record: AnyRecord, fresh: Record, *, same_machine: bool) -> None:
        self.findings, self.record, self.fresh, self.same_machine = findings, record, fresh, same_machine
        self.arms, self.fresh_arms = ({arm.lane: arm for arm in each.arms} for each in (record, fresh))

    def check(self, lane: str) -> None:
        """Every certificate of a lane; the note says how often what was found."""
        outcomes = Counter[str]()
        if lane in self.arms and lane in self.fresh_arms:
            self._check_arm(self.arms[lane], self.fresh_arms[lane])
        for task in self.fresh.tasks:
            recorded, fresh = self.record.certificate(task, lane), self.fresh.certificate(task, lane)
            if recorded is not None and fresh is None:
                failure = next(f for f in self.fresh.failures if (f.task, f.lane) == (task, lane))
                self.findings.skip(f"{lane} on {task} against its code: {failure.phase}: {failure.reason}")
            elif recorded is not None and fresh is not None:
                outcomes[self._outcome(recorded, fresh)] += 1
        counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        self.findings.notes.append(f"certified again: {lane}: {counts or 'nothing'}")

    def _check_arm(self, recorded: Arm, fresh: Arm) -> None:
        """Traits of a lane that has the recorded versions; another version may have others."""
        if recorded.versions == fresh.versions:
            for trait in TRAITS:
                first, second = getattr(recorded, trait), getattr(fresh, trait)
                fault = f"{recorded.lane}: {trait} is {first!r}; its code says {second!r}"
                self.findings.declared("lanes opened", first == second, fault)

    def _outcome(self, recorded: Certified, fresh: Certified) -> str:
        """What was found of one certificate, in words; what must be equal is compared."""
        first, second = recorded.certificate, fresh.certificate
        where = f"{recorded.lane} on {recorded.task}, certified again"
        for name in ("dtype", "data", "order", "products", "status"):
            values = getattr(first, name), getattr(second, name)
            fault = f"{where}: {name} is {values[1]}, not {values[0]}"
            self.findings.compare("certificates made again", values[0] == values[1], fault)
        if (first.status, second.status) != ("pass", "pass"):
            return f"with the status {second.status}"
        starts = [[evidence.start for evidence in each.evidence] for each in (first, second)]
        self.findings.compare("certificates made again", starts[0] == starts[1], f"{where}: another start")
        if _ends(first) == _ends(second):
            if self._same_arithmetic(recorded.lane):
                self._check_evidence(first, second, where)
            return "with the same final parameters, bit for bit"
        return self._distance(first, second, where, same=self._same_arithmetic(recorded.lane))

    def _same_arithmetic(self, lane: str) -> bool:
        """Whether a lane has the same kernels and threads as it had."""
        first, second = self.arms.get(lane), self.fresh_arms.get(lane)
        if not self.same_machine or first is None or second is None:
            return False
        return first.versions == second.versions and set(first.pools) == set(second.pools)

    def _check_evidence(self, first: Certificate, second: Certificate, where: str) -> None:
        """On the same machine, all that a certificate says of its steps is found again."""
        for recorded, fresh in zip(first.evidence, second.evidence, strict=True):
            differing = _differing(recorded.model_dump(), fresh.model_dump())
            fault = f"{where}: {recorded.judgement.dtype}: other {', '.join(differing)}"
            self.findings.declared("certificates made again", not differing, fault)

    def _distance(self, first: Certificate, second: Certificate, where: str, *, same: bool) -> str:
        """Ends that differ: on the same machine they must not, elsewhere by no more than is allowed."""
        distance, allowance = final_distance(first, second), second.evidence[-1].judgement.allowance
        if same:
            fault = f"{where}: other final parameters, on the same processor with the same packages"
            self.findings.compare("certificates made again", False, fault)
            return "with other final parameters"
        if distance is None or allowance is None or not math.isfinite(allowance):
            self.findings.skip(f"{where}: how far its end is from the recorded one")
            return "with final parameters that cannot be compared"
        fault = f"{where}: its end is {distance:.3g} away, {allowance:.3g} allowed"
        self.findings.compare("certificates made again", distance <= allowance, fault)
        return (
            "with final parameters within the allowance" if distance <= allowance else "beyond the allowance"
        )


def _ends(certificate: Certificate) -> list[str | None]:
    """The digests of all final parameters of a certificate."""
    ends: list[str | None] = []
    for evidence in certificate.evidence:
        ends += [evidence.final, *(run.final for run in evidence.untraced)]
    return ends


def _differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """The fields of a piece of evidence that are not alike, those of its judgment by their own names."""
    first, second = first | first.pop("judgement"), second | second.pop("judgement")
    return [name for name in first if not alike(first[name], second[name])]
