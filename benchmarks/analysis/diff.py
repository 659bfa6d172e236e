"""Two records by their ratios to the baseline: what changed between them.

A ratio is a mean of log ratios over blocks; the two records are independent, so that the difference of their
means has Welch's t interval. A lane changed when B over A lies beyond the verdicts' own margin at the 5%
level, and is the same when it lies within it at that level. Holm's correction counts every lane that is in
both records, tested or not. Where a run had looks, the level at its look takes the level's place, for each of the
two: over all pairs of looks these add up to no more than the level.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from samestep.backends.spec import File, Number, Spec, Task

from ..console.errors import InputError
from ..record import AnyRecord, PlannedWork
from ..statistics.inference import ALPHA, Claims, Interval, Sample, claims, holm
from ..statistics.sequential import Look
from .gates import untested
from .record_analysis import LaneAnalysis, RecordAnalysis
from .rows import Row
from .verdicts import COMPARED, VerdictWord

ChangeWord: TypeAlias = Literal["changed", "same", "undecided", "not compared"]
SCHEMA_VERSION: Literal[1] = 1


class LaneSide(Spec):
    """A lane in one record: time over the baseline's, the verdict on it, and seconds per step."""

    verdict: VerdictWord
    reason: str = ""
    ratio: Interval | None = None
    time: Interval | None = None

    @property
    def claim(self) -> Interval | None:
        """The ratio, if anything may be claimed of it."""
        return self.ratio if self.verdict in COMPARED else None


class LaneChange(Spec):
    """A lane on a task in both records: `change` is ratio B over ratio A, `p` the word's after Holm.

    `reason` says why a lane was not compared.
    """

    task: str
    lane: str
    a: LaneSide
    b: LaneSide
    word: ChangeWord
    change: Interval | None = None
    p: Number | None = None
    reason: str = ""


class EnvironmentChange(Spec):
    """Something that the times may depend on, and that is not the same in both records; None: it has none."""

    what: str
    a: str | None
    b: str | None


class RecordDiff(Spec):
    """Two records compared. `exploratory`: the baseline is not the one that both had fixed before measuring.

    `only_a` and `only_b` are tasks and lanes that one of them lacks; `other_work` are tasks of one name that
    are not the same work, with the reason, and are not compared. `other_timing` says how times were taken in
    another way; "": they were not.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    baseline: str
    exploratory: bool
    environment: tuple[EnvironmentChange, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    other_work: dict[str, str]
    other_timing: str = ""
    changes: tuple[LaneChange, ...]
    baselines: dict[str, tuple[LaneSide, LaneSide]]


def diff(a: AnyRecord, b: AnyRecord, *, baseline: str | None = None) -> RecordDiff:
    """What changed from record A to record B.

    Raises:
        InputError: the records have different baselines and none was named, or one lacks the named one.
    """
    planned = {a.plan.baseline, b.plan.baseline}
    if baseline is None and len(planned) > 1:
        raise InputError(
            f"the baselines differ ({a.plan.baseline} in A, {b.plan.baseline} in B), so their ratios cannot be "
            "compared; name one lane of both with --baseline"
        )
    chosen = baseline or a.plan.baseline
    first, second = RecordAnalysis(a, chosen), RecordAnalysis(b, chosen)
    other_work = dict(_other_work(a, b))
    pairs = [
        _Pair.of(lane, second[lane.task, lane.lane])
        for lane in first
        if (lane.task, lane.lane) in second.pairs and lane.task not in other_work
    ]
    return RecordDiff(
        baseline=chosen,
        exploratory=planned != {chosen},
        environment=tuple(_environment(a, b)),
        only_a=tuple(_only(a, b)),
        only_b=tuple(_only(b, a)),
        other_work=other_work,
        other_timing=_other_timing(a, b),
        changes=tuple(_judged([pair for pair in pairs if pair.a.lane != chosen], first.look, second.look)),
        baselines={pair.a.task: (_side(pair.a), _side(pair.b)) for pair in pairs if pair.a.lane == chosen},
    )


def _other_timing(a: AnyRecord, b: AnyRecord) -> str:
    """What two versions of the record time differently, or nothing."""
    versions = a.schema_version, b.schema_version
    if versions[0] == versions[1]:
        return ""
    return (
        f"times were taken in another way: A is a record of version {versions[0]}, B of version {versions[1]}. "
        "In version 1 every run of a slice began at the certified start, in the certified order; in version 2 "
        "runs are chained, in new orders of all rows, and the fetch of what they end in is timed"
    )


# --- ratios ---------------------------------------------------------------------------------------------------


class _Pair(NamedTuple):
    """A lane in both records, B less A of the mean log ratios, and its ratio; or why it is not to be tested."""

    a: Row
    b: Row
    change: Sample | None
    ratio: Interval | None
    untested: str

    @classmethod
    def of(cls, a: LaneAnalysis, b: LaneAnalysis) -> _Pair:
        reasons = [
            f"{row.verdict.word} in {name}: {row.blank or row.verdict.reason}"
            for name, row in (("A", a.row), ("B", b.row))
            if row.verdict.claim is None
        ] or [f"in {name}: {few}" for name, lane in (("A", a), ("B", b)) if (few := untested(lane))]
        if reasons:
            return cls(a.row, b.row, None, None, "; ".join(reasons))
        change = Sample.of(b.block_ratios).less(Sample.of(a.block_ratios))
        level = 1 - a.analysis.look.level(b.analysis.look.level(ALPHA))
        return cls(a.row, b.row, change, _ratio(change, level), "")


def _judged(pairs: Sequence[_Pair], a: Look, b: Look) -> Iterator[LaneChange]:
    """Every lane with its word, corrected for their number and for the looks at the two runs."""
    tested = [claims(pair.change) for pair in pairs if pair.change]
    over_looks = [b.adjusted(a.adjusted(min(claim))) for claim in tested]
    adjusted = iter(zip(tested, holm(over_looks, family=len(pairs)), strict=True))
    for pair in pairs:
        sides: dict[str, Any] = {
            "a": _side(pair.a),
            "b": _side(pair.b),
            "task": pair.a.task,
            "lane": pair.a.lane,
        }
        if pair.change is None:
            yield LaneChange(**sides, word="not compared", reason=pair.untested)
            continue
        claim, p = next(adjusted)
        yield LaneChange(**sides, word=_word(claim, p), change=pair.ratio, p=p)


def _word(claim: Claims, p: float) -> ChangeWord:
    if p > ALPHA:
        return "undecided"
    return "same" if claim.equivalent <= min(claim.faster, claim.slower) else "changed"


def _ratio(change: Sample, level: float) -> Interval:
    """The difference of logs as a ratio with its interval; an end beyond all numbers is infinite."""
    value, low, high = (
        math.exp(log) if log < 700 else math.inf for log in (change.mean, *change.ends(level))
    )
    return Interval(value=value, low=low, high=high)


def _side(row: Row) -> LaneSide:
    reason = row.blank or row.verdict.reason
    return LaneSide(verdict=row.verdict.word, reason=reason, ratio=row.verdict.ratio, time=row.time)


# --- what differs ---------------------------------------------------------------------------------------------


def _only(record: AnyRecord, other: AnyRecord) -> Iterator[str]:
    """Tasks of one record that the other lacks, and lanes."""
    yield from (f"task {task}" for task in record.tasks if task not in other.tasks)
    yield from (f"lane {lane}" for lane in record.plan.lanes if lane not in other.plan.lanes)


def _other_work(a: AnyRecord, b: AnyRecord) -> Iterator[tuple[str, str]]:
    """Tasks of both records that are not the same work, with the reason."""
    for task in (task for task in a.tasks if task in b.tasks):
        first, second = a.work(task), b.work(task)
        if first.data != second.data:
            yield task, "the data differ"
        elif _content(first.task) != _content(second.task) or _run(first) != _run(second):
            yield task, "the task differs"


def _content(task: Task) -> str:
    """A task's digest without the place of its file, whose content has a digest of its own."""
    if isinstance(task.dataset, File):
        task = task.model_copy(update={"dataset": task.dataset.model_copy(update={"path": ""})})
    return task.digest()


def _run(work: PlannedWork) -> tuple[int, int, str]:
    """What is timed of a task."""
    return work.steps, work.samples, work.start


def _environment(a: AnyRecord, b: AnyRecord) -> Iterator[EnvironmentChange]:
    """What differs of host, libraries, settings and plan."""
    common = set(a.plan.lanes) & set(b.plan.lanes)
    first, second = _facts(a, common), _facts(b, common)
    for what in dict.fromkeys([*first, *second]):
        if first.get(what) != second.get(what):
            yield EnvironmentChange(what=what, a=first.get(what), b=second.get(what))


def _facts(record: AnyRecord, lanes: Container[str]) -> dict[str, str]:
    """All that the times of some lanes may depend on beside the work, as text by name."""
    plan, effort = record.plan, record.plan.effort
    gpus = {f"{gpu.name}, driver {gpu.driver}" for block in record.blocks for gpu in block.gpus_before}
    rounds = f"{effort.rounds[0]} to {effort.rounds[1]} rounds"
    facts: dict[str, object] = {
        "version of the record": record.schema_version,
        "device": plan.device,
        "GPUs": "; ".join(sorted(gpus)) or None,
        "threads": plan.threads,
        "effort": f"{effort.name}: {effort.blocks} blocks of {rounds}, slices of {effort.slice_ms:g} ms",
        **_flat("", plan.environment.model_dump()),
        **_flat("workers' settings", plan.settings),
    }
    for arm in (arm for arm in record.arms if arm.lane in lanes):
        pools = (f"{p.library} {p.version or ''} ({p.architecture or p.api}, {p.threads})" for p in arm.pools)
        facts |= {f"{arm.lane}, device": arm.device, f"{arm.lane}, pools": ", ".join(sorted(pools)) or None}
    return {name: str(value) for name, value in facts.items() if value is not None}


def _flat(prefix: str, values: Mapping[str, object]) -> dict[str, object]:
    """Nested names with spaces between them."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        path = f"{prefix} {name}".strip()
        flat |= _flat(path, value) if isinstance(value, dict) else {path: value}
    return flat
