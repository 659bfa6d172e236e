"""Nothing that a plan asks for is missing without a reason, once the race has begun: failures are reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..analysis import RecordAnalysis
from ..analysis.looks import reason_to_end
from ..console.choices import counted
from ..measure.limits import CALLS
from ..record import AnyRecord, Certified, Failure, Record, Record1
from ..record.layout import is_out, repeats_of, runnable, slice_ns, until
from ..record.version_1 import Block1
from .findings import Findings


class ExpectedPieces:
    """What must be in a record, by its plan and by what failed.

    Certificates, cold calls and the machine's limits come before the first block, calibrations with it.
    """

    def __init__(self, record: AnyRecord) -> None:
        self.record = record
        self.failed = {(f.task, f.lane) for f in record.failures}  # somewhere; of version 1: out of all
        before = self.failed if isinstance(record, Record1) else out_before_the_race(record.failures)
        self.out = before  # pairs that never came to all that precedes the race
        self.pairs = record.plan.pairs
        certificates = {(c.task, c.lane): c.certificate.status for c in record.certified}
        self.passed = [pair for pair in self.pairs if certificates.get(pair) == "pass"]

    def certificates(self) -> Iterator[str]:
        """Pairs of task and lane that have neither a certificate nor a failure."""
        held = {(certified.task, certified.lane) for certified in self.record.certified}
        yield from (_of(pair, "certificate") for pair in self.pairs if pair not in {*held, *self.out})

    def cold_calls(self) -> Iterator[str]:
        """Cold calls that should be there, or should not."""
        held = Counter((cold.task, cold.lane, cold.repeat) for cold in self.record.colds)
        for pair in self.pairs:
            count = self.record.plan.effort.cold if pair in self.passed else 1
            expected = {(*pair, repeat): 1 for repeat in range(count)}
            present = {key: held[key] for key in held if key[:2] == pair}
            if pair not in self.out and present != expected:
                yield _of(pair, counted(count, "cold call"))
            elif isinstance(self.record, Record) and not present.items() <= expected.items():
                yield f"{pair[1]} on {pair[0]}: cold calls that were not planned"

    def limits(self) -> Iterator[str]:
        """Tasks without rates, and frameworks without a cheapest call, that have no reason either."""
        record = self.record
        if not record.plan.on_cpu:
            return
        rates, calls = {rate.task for rate in record.ceilings}, {call.framework for call in record.dispatches}
        frameworks = {arm.framework for arm in record.arms} & set(CALLS)
        for name in sorted({*record.tasks, *frameworks} - {*rates, *calls, *record.unmeasured}):
            yield f"the limits of {name} are missing"

    def calibrations(self) -> Iterator[str]:
        """Lanes with slices of another number of runs than they were calibrated to."""
        repeats = {(each.task, each.lane): each.repeats for each in self.record.calibrations}
        slices = {(s.task, s.lane, s.repeats) for block in self.record.blocks for s in block.slices}
        for task, lane, count in sorted(slices):
            if repeats.get((task, lane)) != count:
                runs = counted(count, "run")
                yield f"{lane} on {task}: slices of {runs}, calibrated to {repeats.get((task, lane))}"
        raced = {(task, lane) for task, lane, _ in slices}
        yield from (_of(pair, "slices") for pair in repeats if pair not in {*raced, *self.failed})
        if isinstance(self.record, Record):
            yield from self.frozen(self.record)

    def frozen(self, record: Record) -> Iterator[str]:
        """Calibrations of lanes that never raced, or to another number of runs than fills a slice."""
        target = slice_ns(record.plan.effort)
        lane_tasks = runnable(record.plan, record.certified, record.failures, before=0)
        for each in record.calibrations:
            count = repeats_of(each.run_ns, target)
            if each.repeats != count:
                yield (
                    f"{each.lane} on {each.task}: calibrated to {counted(each.repeats, 'run')}; "
                    f"of {each.run_ns} ns they are {count}"
                )
            if each.task not in lane_tasks.get(each.lane, ()):
                yield f"{each.lane} on {each.task}: calibrated, and could not race"

    def unseen(self, blocks: Sequence[Block1]) -> Iterator[str]:
        """Of version 1: lanes of control blocks that were not timed on work that they had never seen."""
        for block in blocks:
            controls = {(s.task, s.lane) for s in block.slices if s.kind != "race"} - self.failed
            held = {(unseen.task, unseen.lane) for unseen in block.unseen}
            for pair in sorted(controls - held):
                yield f"block {block.index}: {_of(pair, 'time of unseen work')}"

    def failures(self) -> Iterator[str]:
        """Failures of blocks that are not among those of the record, in their order."""
        of_blocks = [failure for block in self.record.blocks for failure in block.failures]
        count = len(self.record.failures) - len(of_blocks)
        same = list(self.record.failures[count:]) == of_blocks if count >= 0 else False
        before = self.record.failures[: max(count, 0)]
        if (of_blocks and not same) or any(f.block is not None or f.place is not None for f in before):
            yield "the failures are not those of the blocks"

    def outcomes(self) -> Iterator[tuple[str, Certified]]:
        """Certificates of lanes that passed and have no accuracy, or no curve beside kept steps."""
        for certified in self.record.certified:
            passed = certified.certificate.status == "pass" and certified.certificate.evidence
            if passed and (certified.task, certified.lane) not in self.out:
                kept = certified.certificate.evidence[-1].judgement.kept
                if certified.accuracy is None:
                    yield "accuracy", certified
                if kept and not certified.curve:
                    yield "learning curve", certified


def check_completeness(findings: Findings, analysis: RecordAnalysis) -> None:
    """What a record must hold by its plan is there, and what contradicts it is not."""
    record = analysis.record
    expected = ExpectedPieces(record)
    for name, certified in expected.outcomes():
        fault = _of((certified.task, certified.lane), name)
        if name == "accuracy" or any(each.curve for each in record.certified):
            findings.compare("sets of outcomes", False, fault)
        else:  # curves came later than records
            findings.declared("sets of outcomes", False, fault)
    _check(findings, "sets of failures", expected.failures())
    if record.blocks or record.ceilings or record.dispatches:
        _check(findings, "sets of certificates", expected.certificates())
        _check(findings, "sets of cold calls", expected.cold_calls())
    if record.blocks:
        _check(findings, "sets of limits", expected.limits())
        _check(findings, "sets of calibrations", expected.calibrations())
        if isinstance(record, Record1) and any(block.unseen for block in record.blocks):
            _check(findings, "sets of unseen work", expected.unseen(record.blocks))
        elif isinstance(record, Record1):
            findings.skip("times of unseen work: the record has none")
    if is_unfinished(record):
        findings.skip("what an interrupted run has still to measure")
    _check_phases(findings, record)


def out_before_the_race(failures: Sequence[Failure]) -> set[tuple[str, str]]:
    """Task and lane of what failed in cold processes, but for a death that was forgiven."""
    before = [failure for failure in failures if failure.block is None]
    pairs = {(failure.task, failure.lane) for failure in before}
    return {pair for pair in pairs if is_out(f for f in before if (f.task, f.lane) == pair)}


def is_unfinished(record: AnyRecord) -> bool:
    """Whether blocks are missing that a lane could still race in."""
    if isinstance(record, Record1) or not record.blocks:
        return len(record.blocks) < record.plan.effort.blocks
    if len(record.blocks) in record.plan.effort.looks and reason_to_end(RecordAnalysis(record)):
        return False
    can_race = bool(runnable(record.plan, record.certified, record.failures))
    return can_race and len(record.blocks) < until(record.plan, record.blocks)


def _check(findings: Findings, name: str, faults: Iterator[str]) -> None:
    lines = list(faults)
    findings.count(name)
    findings.wrong += lines


def _check_phases(findings: Findings, record: AnyRecord) -> None:
    """Phases are there if they were asked for, and add up to their run."""
    held = {(each.task, each.lane) for each in record.ledgers}
    findings.compare(
        "phase breakdowns", record.plan.phases or not held, "phases that the plan does not ask for"
    )
    if record.plan.phases and len(record.blocks) >= record.plan.effort.blocks:
        passed = ExpectedPieces(record).passed
        for pair in (pair for pair in passed if pair not in held):
            findings.skip(_of(pair, "phases"))
    for each in record.ledgers:
        whole = sum(each.phases.values()) if each.phases else each.run_s
        gap, largest = abs(whole - each.run_s), max([each.run_s, *map(abs, each.phases.values())])
        fault = f"{each.lane} on {each.task}: its phases do not add up to its run"
        findings.compare(
            "phase breakdowns", gap <= 1e-9 * largest and bool(each.phases) != bool(each.reason), fault
        )


def _of(pair: tuple[str, str], what: str) -> str:
    return f"{pair[1]} on {pair[0]}: {what} missing"
