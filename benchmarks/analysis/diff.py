"""`samestep diff A B`: two records by their ratios to the baseline; pure, and without any framework.

A ratio is a mean of log ratios over blocks; the two records are independent, so that the difference of their
means has Welch's t interval. A lane changed when B over A surely lies beyond the verdicts' own margin, and is the
same when it surely lies within. Holm's correction counts every lane that is in both records, tested or not.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from samestep.backends.spec import File, Spec, Task

from ..console.errors import InputError
from ..record import Record
from ..record.plan import PlannedWork
from ..statistics.inference import ALPHA, Claims, Interval, Sample, claims, holm
from .samples import block_ratios, log_times
from .summary import Row, summarize

Word: TypeAlias = Literal["changed", "same", "undecided", "not compared"]
Pair: TypeAlias = tuple[str, str]
TESTED = ("FASTER", "SLOWER", "EQUIVALENT", "UNDECIDED")
SCHEMA_VERSION: Literal[1] = 1


class Side(Spec):
    """A lane in one record: time over the baseline's, the verdict on it, and seconds per step."""

    verdict: str
    reason: str = ""
    ratio: Interval | None = None
    time: Interval | None = None


class Change(Spec):
    """A lane on a task in both records: `change` is ratio B over ratio A, `p` the word's after Holm.

    `reason` says why a lane was not compared.
    """

    task: str
    lane: str
    a: Side
    b: Side
    word: Word
    change: Interval | None = None
    p: float | None = None
    reason: str = ""


class Differs(Spec):
    """Something that the times may depend on, and that is not the same in both records; None: it has none."""

    what: str
    a: str | None
    b: str | None


class Diff(Spec):
    """Two records compared. `exploratory`: the baseline is not the one that both had fixed before measuring.

    `only_a` and `only_b` are tasks and lanes that one of them lacks; `other_work` are tasks of one name that are
    not the same work, with the reason, and are not compared.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    baseline: str
    exploratory: bool
    environment: tuple[Differs, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    other_work: dict[str, str]
    changes: tuple[Change, ...]
    baselines: dict[str, tuple[Side, Side]]


def diff(a: Record, b: Record, *, baseline: str | None = None) -> Diff:
    """What changed from record A to record B.

    Raises:
        InputError: the records have different baselines and none was named, or one does not have the named one.
    """
    own = {a.plan.baseline, b.plan.baseline}
    if baseline is None and len(own) > 1:
        raise InputError(
            f"the baselines differ ({a.plan.baseline} in A, {b.plan.baseline} in B), so their ratios cannot be "
            "compared; name one lane of both with --baseline"
        )
    chosen = baseline or a.plan.baseline
    rows = [{(row.task, row.lane): row for row in summarize(each, baseline=chosen)} for each in (a, b)]
    other = dict(_other_work(a, b))
    both = [key for key in rows[0] if key in rows[1] and key[0] not in other]
    compared = [_Compared.of(a, b, rows[0][key], rows[1][key], chosen) for key in both if key[1] != chosen]
    return Diff(
        baseline=chosen,
        exploratory=own != {chosen},
        environment=tuple(_environment(a, b)),
        only_a=tuple(_only(a, b)),
        only_b=tuple(_only(b, a)),
        other_work=other,
        changes=tuple(_judged(compared)),
        baselines={key[0]: (_side(rows[0][key]), _side(rows[1][key])) for key in both if key[1] == chosen},
    )


# --- ratios ---------------------------------------------------------------------------------------------------


class _Compared(NamedTuple):
    """A lane in both records, and B less A of the mean log ratios, or why it is not to be tested."""

    a: Row
    b: Row
    change: Sample | None
    barred: str

    @classmethod
    def of(cls, one: Record, other: Record, a: Row, b: Row, baseline: str) -> _Compared:
        untested = [
            f"{row.verdict.word} in {name}: {row.blank or row.verdict.reason}"
            for name, row in (("A", a), ("B", b))
            if row.verdict.word not in TESTED or row.verdict.ratio is None
        ]
        if untested:
            return cls(a, b, None, "; ".join(untested))
        before, after = (_sample(record, a.task, a.lane, baseline) for record in (one, other))
        return cls(a, b, after.less(before), "")


def _sample(record: Record, task: str, lane: str, baseline: str) -> Sample:
    ratios = block_ratios(log_times(record, task, lane), log_times(record, task, baseline))
    return Sample.of(list(ratios.values()))


def _judged(compared: list[_Compared]) -> Iterator[Change]:
    """Every lane with its word, corrected for their number."""
    found = [claims(each.change) for each in compared if each.change]
    adjusted = iter(zip(found, holm([min(claim) for claim in found], family=len(compared)), strict=True))
    for each in compared:
        sides: dict[str, Any] = {"a": _side(each.a), "b": _side(each.b)}
        sides |= {"task": each.a.task, "lane": each.a.lane}
        if each.change is None:
            yield Change(**sides, word="not compared", reason=each.barred)
            continue
        claim, p = next(adjusted)
        yield Change(**sides, word=_word(claim, p), change=_ratio(each.change), p=p)


def _word(claim: Claims, p: float) -> Word:
    if p > ALPHA:
        return "undecided"
    return "same" if claim.equivalent <= min(claim.faster, claim.slower) else "changed"


def _ratio(change: Sample) -> Interval:
    """The difference of logs as a ratio with its 95% interval; an end beyond all numbers is infinite."""
    value, low, high = (_exp(log) for log in (change.mean, *change.ends(0.95)))
    return Interval(value=value, low=low, high=high)


def _exp(log: float) -> float:
    return math.exp(log) if log < 700 else math.inf


def _side(row: Row) -> Side:
    return Side(
        verdict=row.verdict.word,
        reason=row.blank or row.verdict.reason,
        ratio=row.verdict.ratio,
        time=row.time,
    )


# --- what differs ---------------------------------------------------------------------------------------------


def _only(one: Record, other: Record) -> Iterator[str]:
    """Tasks of one record that the other lacks, and lanes."""
    yield from (f"task {task}" for task in one.tasks if task not in other.tasks)
    yield from (f"lane {lane}" for lane in one.plan.lanes if lane not in other.plan.lanes)


def _other_work(a: Record, b: Record) -> Iterator[Pair]:
    """Tasks of both records that are not the same work, with the reason."""
    for task in (task for task in a.tasks if task in b.tasks):
        one, two = a.work(task), b.work(task)
        if one.data != two.data:
            yield task, "the data differ"
        elif _content(one.task) != _content(two.task) or _run(one) != _run(two):
            yield task, "the task differs"


def _content(task: Task) -> str:
    """A task's digest without the place of its file, whose content has a digest of its own."""
    if isinstance(task.dataset, File):
        task = task.model_copy(update={"dataset": task.dataset.model_copy(update={"path": ""})})
    return task.digest()


def _run(work: PlannedWork) -> tuple[int, int, str]:
    """What is timed of a task."""
    return work.steps, work.samples, work.start


def _environment(a: Record, b: Record) -> Iterator[Differs]:
    """What differs of host, libraries, settings and plan."""
    both = set(a.plan.lanes) & set(b.plan.lanes)
    one, two = _facts(a, both), _facts(b, both)
    for what in dict.fromkeys([*one, *two]):
        if one.get(what) != two.get(what):
            yield Differs(what=what, a=one.get(what), b=two.get(what))


def _facts(record: Record, lanes: Container[str]) -> dict[str, str]:
    """All that the times of some lanes may depend on beside the work, as text by name."""
    plan, effort = record.plan, record.plan.effort
    gpus = {f"{gpu.name}, driver {gpu.driver}" for block in record.blocks for gpu in block.gpus_before}
    rounds = f"{effort.rounds[0]} to {effort.rounds[1]} rounds"
    facts: dict[str, object] = {
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
    found: dict[str, object] = {}
    for name, value in values.items():
        place = f"{prefix} {name}".strip()
        found |= _flat(place, value) if isinstance(value, dict) else {place: value}
    return found
