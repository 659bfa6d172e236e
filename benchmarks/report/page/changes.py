"""The page of two records: what changed from one to the other, by their ratios to the baseline."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import altair as alt

from ...analysis.diff import ChangeWord, LaneChange, LaneSide, RecordDiff
from ...analysis.diff import diff as compare_records
from ...record import AnyRecord
from ...statistics.inference import MARGIN, Interval
from .. import diff_tables, tables
from .. import formatting as fmt
from ..glossary import listed
from ..html import Anchors
from ..text_table import TextTable
from .chart_parts import (
    ROW,
    Figure,
    Values,
    at,
    data,
    labels,
    lanes_y,
    log_x,
    margin_band,
    marker,
    of_field,
    span,
    specification,
    tooltips,
)
from .frame import address, framed
from .headline import MOST, task_name
from .lane_style import LaneStyles

CHANGES = "changes.html"
NOT_CHANGED: dict[ChangeWord, str] = {
    "same": "the same within 2%",
    "undecided": "undecided",
    "not compared": "not compared",
}
HIGH = ROW + 8  # pixels for each lane, with a mark for each record
TIPS = ("lane", "record", "over baseline", "time per step", "verdict")


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
        findings=list(findings(diff)),
        sides=list(diff_tables.sides(diff, a, b)),
        closing=list(diff_tables.closing(diff)),
        parts=parts,
        unfolded=MOST if len(parts) <= MOST else 1,
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
            names = [_moved(change, first=change is changed[0]) for change in changed[:MOST]]
            names += [f"{len(changed) - MOST} more in the table"] if len(changed) > MOST else []
            text = f"{len(changed)} of {len(changes)} lanes changed: {listed(names)}"
            yield f"On {task_name(task)}, beside {diff.baseline}, {text}{_counted(changes, '; ')}."
    if others:
        names = [task_name(task) for task in others[:MOST]]
        names += [f"{len(others) - MOST} more tasks"] if len(others) > MOST else []
        still = [change for task in others for change in tasks[task]]
        yield f"On {listed(names)} no lane was shown to change{_counted(still, ': ')}."
    if not tasks:
        yield "Nothing can be compared: no task and lane beside the baseline is in both."


def _changed(changes: Sequence[LaneChange]) -> list[LaneChange]:
    """The lanes that changed, the largest change first."""
    changed = [change for change in changes if change.word == "changed" and change.change]
    return sorted(changed, key=lambda one: -abs(math.log(one.change.value)) if one.change else 0.0)


def _moved(change: LaneChange, *, first: bool) -> str:
    assert change.change
    return f"{change.lane} {'takes ' if first else ''}{change.change.value:.3f} times" + (
        " as long in B as in A" if first else ""
    )


def _counted(changes: Sequence[LaneChange], before: str) -> str:
    """How many lanes did not change, or are not known to have."""
    words = Counter(change.word for change in changes)
    counts = [f"{words[word]} {text}" for word, text in NOT_CHANGED.items() if words[word]]
    return before + listed(counts) if counts else ""


# --- charts ---------------------------------------------------------------------------------------


def ratios(diff: RecordDiff, changes: Sequence[LaneChange], styles: LaneStyles) -> Figure | None:
    """The ratio to the baseline in both records, A hollow and B filled."""
    both = [(change, name, side) for change in changes for name, side in (("A", change.a), ("B", change.b))]
    values = [_value(change, name, side) for change, name, side in both if side.ratio]
    if not values:
        return None
    ends = span(
        [math.exp(-MARGIN), math.exp(MARGIN), *(v[key] for v in values for key in ("value", "low", "high"))]
    )
    lanes = list(dict.fromkeys(value["lane"] for value in values))
    x, y = log_x("value", ends, "time over the baseline's"), lanes_y(lanes)
    off = alt.YOffset("off:Q", scale=alt.Scale(domain=[-1, 1]))
    bar = data(values).mark_rule(strokeWidth=2)
    bar = bar.encode(x=of_field(x, "low"), x2="high:Q", y=y, yOffset=off, color=styles.color())
    layers = [margin_band(x), at(1.0, x, "equal to the baseline"), bar]
    for name in ("A", "B"):
        some = [value for value in values if value["record"] == name]
        mark = marker(some, styles, tooltips(*TIPS), size=70).encode(x=x, y=y, yOffset=off)
        if name == "A":
            mark = mark.mark_point(filled=False, size=70, opacity=1, strokeWidth=1.6, fill="transparent")
        layers.append(mark)
    says = (
        f"Time per step over that of {diff.baseline} in each record: A hollow, above; B filled, below. Left of "
        "the line a lane takes less time than the baseline."
    )
    table = TextTable("Ratio to the baseline", ("lane", "A", "B"))
    table.rows += [
        (c.lane, *(fmt.between(side.ratio) or side.verdict for side in (c.a, c.b))) for c in changes
    ]
    return Figure(
        "ratios",
        "Ratio to the baseline in A and in B",
        says,
        specification(layers, HIGH * len(lanes), says),
        table,
    )


def _value(change: LaneChange, name: str, side: LaneSide) -> dict[str, Any]:
    assert side.ratio
    tips = {
        "over baseline": fmt.between(side.ratio),
        "time per step": fmt.timing(side.time),
        "verdict": side.verdict,
    }
    return {
        "lane": change.lane,
        "record": name,
        "off": -0.4 if name == "A" else 0.4,
        **_ends(side.ratio),
        **tips,
    }


def _ends(ratio: Interval) -> dict[str, float]:
    """A value with the ends of its interval, which are the value where they are unknown."""
    finite = math.isfinite(ratio.high)
    return {
        "value": ratio.value,
        "low": ratio.low if finite else ratio.value,
        "high": ratio.high if finite else ratio.value,
    }


def moves(diff: RecordDiff, changes: Sequence[LaneChange], styles: LaneStyles) -> Figure | None:
    """The ratio in B over that in A with its interval and the band within which nothing changed."""
    compared = [(change, change.change) for change in changes if change.change]
    if not compared:
        return None
    values: Values = [
        {"lane": change.lane, **_ends(ratio), "label": f"{ratio.value:.3f}, {change.word}"}
        | {"B/A": diff_tables.change_text(ratio), "change": change.word}
        for change, ratio in compared
    ]
    ends = span(
        [math.exp(-MARGIN), math.exp(MARGIN), *(v[key] for v in values for key in ("value", "low", "high"))],
        pad=1.1,
    )
    x, y = (
        log_x("value", ends, "ratio in B over the ratio in A"),
        lanes_y([value["lane"] for value in values]),
    )
    bar = (
        data(values)
        .mark_rule(strokeWidth=2)
        .encode(x=of_field(x, "low"), x2="high:Q", y=y, color=styles.color())
    )
    point = marker(values, styles, tooltips("lane", "B/A", "change")).encode(x=x, y=y)
    layers = [margin_band(x), at(1.0, x, "no change"), bar, point, *labels(values, x, y, ends)]
    says = (
        "Right of the line a lane takes more time beside the baseline than before, left of it less; within the "
        "band of ±2% a change does not count. Bars are Welch's 95% intervals."
    )
    table = TextTable("B over A", ("lane", "B/A", "change"), left=("lane", "change"))
    table.rows += [(change.lane, diff_tables.change_text(ratio), change.word) for change, ratio in compared]
    return Figure("change", "What changed", says, specification(layers, HIGH * len(values), says), table)
