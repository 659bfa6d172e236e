"""The audits of a record: each arm of a block has one, each first call has one, and all say what one can."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from ..analysis import RecordAnalysis
from ..measure.drawn_work import is_stretch
from ..record import Audit, Block, PlannedWork, Record
from ..record.layout import arm_name
from .findings import Findings


def check_audits(findings: Findings, analysis: RecordAnalysis, record: Record) -> None:
    """Every arm has an audit in each block in which its lane did not fail, and every first call has one."""
    works = {work.task.name: work for work in record.plan.works}
    for cold in record.colds:
        where = f"the first call {cold.repeat} of {cold.lane} on {cold.task}"
        findings.compare("first calls", cold.audit is not None, f"{where}: it was not done once more")
        if cold.audit is not None:
            _check_audit(findings, cold.audit, works[cold.task], 1, where)
        sound = analysis.row_of[cold.task, cold.lane].time is None or is_sound(cold.audit)
        findings.compare("first calls", sound, f"{where}: it was not proven")
    for block in record.blocks:
        _check_arms(findings, block)
        for timed in (timed for timed in block.slices if timed.audit is not None):
            assert timed.audit is not None
            name = arm_name(timed.lane, timed.twin)
            where = f"block {block.index}, {name} on {timed.task}, round {timed.round}"
            _check_audit(findings, timed.audit, works[timed.task], timed.repeats, where)
            sound = analysis.row_of[timed.task, timed.lane].time is None or is_sound(timed.audit)
            findings.compare("audits", sound, f"{where}: not proven")


def _check_arms(findings: Findings, block: Block) -> None:
    """One slice of the race was chosen for each arm; an audit of another slice is of malformed losses."""
    failed = {(failure.task, failure.lane) for failure in block.failures}
    arms = Counter((s.task, s.lane, s.twin) for s in block.slices if s.kind == "race")
    held, refused = Counter[tuple[str, str, bool]](), Counter[tuple[str, str, bool]]()
    for timed in (timed for timed in block.slices if timed.audit is not None):
        assert timed.audit is not None
        arm = timed.task, timed.lane, timed.twin
        if is_refused(timed.audit):
            refused[arm] += 1
        else:
            held[arm] += 1
            fault = f"block {block.index}, {timed.lane} on {timed.task}: a control slice was audited"
            findings.compare("audits", timed.kind == "race", fault)
    for arm in arms:
        task, lane, twin = arm
        where = f"block {block.index}, {arm_name(lane, twin)} on {task}"
        if (task, lane) not in failed:
            fault = f"{where}: {held[arm]} slices were audited, not 1"
            findings.compare("audits", held[arm] == 1 or (not held[arm] and refused[arm] > 0), fault)


def _check_audit(findings: Findings, audit: Audit, work: PlannedWork, repeats: int, where: str) -> None:
    """An audit is of a run of its slice, of all steps where they are not too many, and says why it is unsound."""
    findings.compare(
        "audits", audit.epoch < repeats, f"{where}: run {audit.epoch + 1} of {repeats} was judged"
    )
    if not audit.reason:
        stretch = is_stretch(parameter_bytes(work), work.steps)
        whole = 1 <= audit.steps <= work.steps if stretch else audit.steps == work.steps
        fault = f"{where}: {audit.steps} steps of {work.steps} were judged"
        findings.compare("audits", whole, fault)
        findings.compare("audits", is_sound(audit), f"{where}: it is not sound, and no reason is given")
    if audit.equal:
        unmeasured = audit.distance == audit.allowance == 0
        findings.compare("audits", unmeasured, f"{where}: equal ends, and a distance between them")


def parameter_bytes(work: PlannedWork) -> int:
    """Bytes of all parameters of a task."""
    return sum(map(math.prod, work.task.parameters.values())) * np.dtype(work.task.dtype).itemsize


def is_sound(audit: Audit | None) -> bool:
    """Whether an audit proves its slice."""
    if audit is None or audit.reason or audit.steps < 1 or not 0 <= audit.ratio <= 1:
        return False
    return audit.equal or 0 <= audit.distance <= audit.allowance


def is_refused(audit: Audit) -> bool:
    """Whether an audit is that of losses of the wrong form, for which nothing was done once more."""
    return bool(audit.reason) and audit == Audit(
        epoch=0, steps=0, ratio=0.0, equal=False, reason=audit.reason
    )
