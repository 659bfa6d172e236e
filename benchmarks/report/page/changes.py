"""The page of two records: what changed from one to the other, by their ratios to the baseline."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...analysis.diff import ChangeWord, LaneChange, RecordDiff
from ...analysis.diff import diff as compare_records
from ...console.choices import counted
from ...record import AnyRecord
from .. import diff_tables, tables
from ..glossary import listed
from ..html import Anchors
from ..text_table import TextTable
from .change_charts import moves, ratios
from .chart_parts import Figure
from .frame import address, framed
from .headline import some, task_name
from .lane_style import LaneStyles
from .overview import Finding

CHANGES = "changes.html"
NOT_CHANGED: dict[ChangeWord, str] = {
    "same": "the same within 2%",
    "undecided": "undecided",
    "not compared": "not compared",
}
SHOWN = 4  # sentences and tasks that are not folded


class TaskChanges(NamedTuple):
    """What the page shows of a task that both records have."""

    heading: str
    figures: list[Figure]
    table: TextTable


def changes_page(a: AnyRecord, b: AnyRecord, *, baseline: str | None = None) -> str:
    """The whole page. The same records give the same text, byte for byte.

    Raises:
        InputError: the two have no baseline in common, or a record cannot be read.
    """
    diff, styles = compare_records(a, b, baseline=baseline), LaneStyles(b)
    anchors, parts = Anchors("overview", "charts", "table", "environment"), list[TaskChanges]()
    for work in a.plan.works:
        task = work.task.name
        if changes := _by_time(diff, task):
            figures = [figure for make in (ratios, moves) if (figure := make(diff, changes, styles))]
            address(figures, anchors, task)
            parts.append(
                TaskChanges(tables.heading(a, work), figures, diff_tables.change_table(diff, changes))
            )
    return framed(
        "changes.html.jinja",
        [figure for part in parts for figure in part.figures],
        "page.js",
        tasks=list(dict.fromkeys(change.task for change in diff.changes)),
        findings=list(map(Finding, findings(diff))),
        shown=SHOWN,
        sides=list(diff_tables.sides(diff, a, b)),
        closing=list(diff_tables.closing(diff)),
        parts=parts,
        unfolded=SHOWN if len(parts) <= SHOWN else 1,
        environment=diff_tables.environment_table(diff) if diff.environment else None,
        same_environment=diff_tables.SAME_ENVIRONMENT,
    )


def _by_time(diff: RecordDiff, task: str) -> list[LaneChange]:
    """The lanes of a task, the shortest time in B first."""
    changes = [change for change in diff.changes if change.task == task]
    return sorted(changes, key=lambda change: change.b.time.value if change.b.time else math.inf)


# --- sentences ------------------------------------------------------------------------------------


def findings(diff: RecordDiff) -> Iterator[str]:
    """A sentence for each task on which a lane changed: which and by how much; and one for all other tasks."""
    tasks = {task: _by_time(diff, task) for task in dict.fromkeys(change.task for change in diff.changes)}
    others = [task for task, changes in tasks.items() if not _changed(changes)]
    for task, changes in tasks.items():
        if changed := _changed(changes):
            names = some([_moved(change, changed[0]) for change in changed], "more in the table")
            text = f"{len(changed)} of {counted(len(changes), 'lane')} changed: {names}"
            yield f"On {task_name(task)}, beside {diff.baseline}, {text}{_counted(changes, '; ')}."
    if others:
        still = [change for task in others for change in tasks[task]]
        names = some(list(map(task_name, others)), "more task", "more tasks")
        yield f"On {names} no lane was shown to change{_counted(still, ': ')}."
    if not tasks:
        yield "Nothing can be compared: no task and lane beside the baseline is in both."


def _changed(changes: Sequence[LaneChange]) -> list[LaneChange]:
    """The lanes that changed, the largest change first."""
    changed = [change for change in changes if change.word == "changed" and change.change]
    return sorted(changed, key=lambda one: -abs(math.log(one.change.value)) if one.change else 0.0)


def _moved(change: LaneChange, first: LaneChange) -> str:
    """A lane and by how much it changed; of the first one, in whole words."""
    times = f"{change.change.value if change.change else math.nan:.3f} times"
    return (
        f"{change.lane} takes {times} as long in B as in A" if change is first else f"{change.lane} {times}"
    )


def _counted(changes: Sequence[LaneChange], before: str) -> str:
    """How many lanes did not change, or are not known to have."""
    words = Counter(change.word for change in changes)
    counts = [f"{words[word]} {text}" for word, text in NOT_CHANGED.items() if words[word]]
    return before + listed(counts) if counts else ""
