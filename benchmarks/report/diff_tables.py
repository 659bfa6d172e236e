"""What changed between two records, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..analysis.diff import LaneChange, LaneSide, RecordDiff
from ..record import AnyRecord
from ..statistics.inference import TOO_FEW_BLOCKS, Interval
from . import formatting as fmt
from .tables import heading
from .text_table import TextTable, boxed, paragraph

SCOPE = (
    "A, B: time over the baseline's. B/A: the ratio in B over that in A, with Welch's 95% interval over the "
    "blocks of both. changed: beyond 2% at the 5% level; same: within 2% at that level; undecided: neither; "
    "corrected for the number of lanes, which the interval is not. It says that two records differ, not why: the "
    "code, the libraries, the host and the day all count."
)
SAME_ENVIRONMENT = "the same in both, as far as it was recorded"


def plain(diff: RecordDiff, a: AnyRecord, b: AnyRecord, *, width: int = 100) -> str:
    """The environments, and a table for each task that both records have; at most `width` columns."""
    parts = [*(paragraph(line, width) for line in sides(diff, a, b)), "", _environment(diff, width), ""]
    for work in a.plan.works:
        changes = [change for change in diff.changes if change.task == work.task.name]
        if changes:
            parts += [paragraph(heading(a, work), width), "", boxed(change_table(diff, changes), width), ""]
    parts += [paragraph(line, width) for line in closing(diff)]
    return "\n".join(parts)


def sides(diff: RecordDiff, a: AnyRecord, b: AnyRecord) -> Iterator[str]:
    """When and how much each record was measured, and whether their times were taken in the same way."""
    for name, record in (("A", a), ("B", b)):
        plan = record.plan
        blocks = f"{len(record.blocks)} of {record.blocks_intended} blocks"
        yield f"{name}: measured {fmt.moment(plan.created)} at effort {plan.effort.name}, {blocks}"
    if diff.other_timing:
        yield f"Attention: {diff.other_timing}."


def environment_table(diff: RecordDiff) -> TextTable:
    """What differs between the environments."""
    names = ("what", "in A", "in B")
    table = TextTable("ENVIRONMENT", names, left=names, prose=names)
    table.rows += [(change.what, change.a or "none", change.b or "none") for change in diff.environment]
    return table


def _environment(diff: RecordDiff, width: int) -> str:
    if not diff.environment:
        return f"ENVIRONMENT\n{paragraph(SAME_ENVIRONMENT, width)}"
    return boxed(environment_table(diff), width)


def change_table(diff: RecordDiff, changes: Sequence[LaneChange]) -> TextTable:
    """The lanes of a task: both ratios, the ratio of the two, and the word."""
    table = TextTable("DIFF", ("lane", "A", "B", "B/A", "change"), left=("lane", "change"), drops=("A", "B"))
    for change in changes:
        ratios = ratio_text(change.a), ratio_text(change.b), change_text(change.change)
        table.rows.append((change.lane, *ratios, change.word))
        table.notes += list(_notes(change))
    for a, b in [diff.baselines[task] for task in {change.task: 0 for change in changes}]:
        table.notes.append(f"the baseline {diff.baseline}: {_step(a)} in A, {_step(b)} in B")
    return table


def ratio_text(side: LaneSide) -> str:
    """A ratio to the baseline, marked where nothing may be claimed of it."""
    text = fmt.between(side.ratio)
    return f"{text}, {side.verdict}" if text and not side.claim else text


def change_text(span: Interval | None) -> str:
    """The ratio of two ratios, to a tenth of a percent: the margin is two."""
    if span is None:
        return ""
    if not math.isfinite(span.high):
        return f"{span.value:.3f} [{TOO_FEW_BLOCKS}]"
    return f"{span.value:.3f} [{span.low:.3f}, {span.high:.3f}]"


def _notes(change: LaneChange) -> Iterator[str]:
    if change.reason:
        yield f"{change.lane}: not compared: {change.reason}"
    if change.a.verdict != change.b.verdict:
        yield f"{change.lane}: {change.a.verdict} in A, {change.b.verdict} in B"


def _step(side: LaneSide) -> str:
    if not side.time:
        return f"no time ({side.verdict}: {side.reason})"
    marked = f", {side.verdict}" if side.verdict == "UNSTABLE" else ""
    return f"{fmt.timing(side.time)} a step{marked}"


def closing(diff: RecordDiff) -> Iterator[str]:
    """What was not compared, and what the words mean."""
    for name, only in (("A", diff.only_a), ("B", diff.only_b)):
        if only:
            yield f"Only in {name}: {', '.join(only)}."
    for task, why in diff.other_work.items():
        yield f"Not compared: {task}: {why}, so the records have not timed the same work."
    if not diff.changes:
        yield "Nothing to compare: no task and lane beside the baseline is in both."
    if diff.exploratory:
        yield f"Exploratory: the baseline {diff.baseline} was not fixed before both measurements."
    yield SCOPE
