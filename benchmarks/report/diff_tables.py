"""What changed between two records, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..analysis.diff import LaneChange as Change
from ..analysis.diff import LaneSide as Side
from ..analysis.diff import RecordDiff as Diff
from ..console.escapes import visible
from ..record import Record
from ..statistics.inference import Interval
from . import formatting as fmt
from .tables import Table, boxed, heading, notes

SCOPE = (
    "A, B: time over the baseline's. B/A: the ratio in B over that in A, with Welch's 95% interval over the "
    "blocks of both. changed: surely beyond 2%; same: surely within; undecided: neither; corrected for the "
    "number of lanes. It says that two records differ, not why: the code, the libraries, the host and the day "
    "all count."
)


def plain(found: Diff, a: Record, b: Record, *, width: int = 100) -> str:
    """The environments, and a table for each task that both records have; at most `width` columns."""
    parts = [*_sides(a, b), "", _environment(found, width), ""]
    for work in a.plan.works:
        changes = [change for change in found.changes if change.task == work.task.name]
        if changes:
            table = _table(found, changes)
            parts += [visible(heading(a, work)), "", boxed(table, width), *notes(table, width), ""]
    parts += [textwrap.fill(visible(line), width) for line in _rest(found)]
    return "\n".join(parts)


def _sides(a: Record, b: Record) -> Iterator[str]:
    for name, record in (("A", a), ("B", b)):
        plan = record.plan
        blocks = f"{len(record.blocks)} of {plan.effort.blocks} blocks"
        yield visible(f"{name}: measured {fmt.moment(plan.created)} at effort {plan.effort.name}, {blocks}")


def _environment(found: Diff, width: int) -> str:
    if not found.environment:
        return "ENVIRONMENT\nthe same in both, as far as it was recorded"
    table = Table("ENVIRONMENT", ("what", "in A", "in B"), [])
    table.rows += [(each.what, each.a or "none", each.b or "none") for each in found.environment]
    return boxed(table, width)


def _table(found: Diff, changes: list[Change]) -> Table:
    table = Table("DIFF", ("lane", "A", "B", "B/A", "word"), [])
    for each in changes:
        ratios = fmt.between(each.a.ratio), fmt.between(each.b.ratio), _change(each.change)
        table.rows.append((each.lane, *ratios, each.word))
        table.notes += list(_notes(each))
    for one, two in [found.baselines[task] for task in {each.task: 0 for each in changes}]:
        table.notes.append(f"the baseline {found.baseline}: {_step(one)} in A, {_step(two)} in B")
    return table


def _change(span: Interval | None) -> str:
    """The ratio of two ratios, to a tenth of a percent: the margin is two."""
    return "" if span is None else f"{span.value:.3f} [{span.low:.3f}, {span.high:.3f}]"


def _notes(change: Change) -> Iterator[str]:
    if change.reason:
        yield f"{change.lane}: not compared: {change.reason}"
    if change.a.verdict != change.b.verdict:
        yield f"{change.lane}: {change.a.verdict} in A, {change.b.verdict} in B"


def _step(side: Side) -> str:
    return f"{fmt.timing(side.time)} a step" if side.time else f"no time ({side.verdict}: {side.reason})"


def _rest(found: Diff) -> Iterator[str]:
    """What was not compared, and what the words mean."""
    for name, only in (("A", found.only_a), ("B", found.only_b)):
        if only:
            yield f"Only in {name}: {', '.join(only)}."
    for task, why in found.other_work.items():
        yield f"Not compared: {task}: {why}, so the records have not timed the same work."
    if not found.changes:
        yield "Nothing to compare: no task and lane beside the baseline is in both."
    if found.exploratory:
        yield f"Exploratory: the baseline {found.baseline} was not fixed before both measurements."
    yield SCOPE
