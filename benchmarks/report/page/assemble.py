"""The parts of the page, put together."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...analysis import RecordAnalysis
from ...record import AnyRecord
from ...record.plan import PlannedWork
from .. import formatting as fmt
from .. import html, tables
from ..glossary import RANK_SIGNS, by_meaning, group, rank_key
from ..html import Anchors
from ..text_table import TextTable
from . import overview, proof_charts, setup_tables, size_charts, slice_charts, speed_charts
from .chart_parts import Figure
from .frame import address, framed
from .lane_style import LaneStyles
from .rows_table import RowsTable, lanes_by_tier

NAME = "report.html"
SCRIPTS = "page.js", "rows.js"
SECTIONS = "overview", "charts", "table", "environment", "reproduce"  # addresses on the page
SHOWN = 4  # sentences of tasks that are not folded
OPEN = 4  # tasks whose charts are unfolded; of more, only the first one's are


def page(record: AnyRecord, *, baseline: str | None = None) -> str:
    """The whole page. The same record gives the same text, byte for byte.

    Raises:
        InputError: a piece of the record cannot be read, or the baseline is not a lane of the record.
    """
    analysis, styles, anchors = RecordAnalysis(record, baseline), LaneStyles(record), Anchors(*SECTIONS)
    sizes = size_charts.of_grid(analysis, styles)
    parts = [_task_part(analysis, work, styles) for work in record.plan.works]
    address(sizes, anchors, "sizes")
    for part in parts:
        address(part.figures, anchors, part.task)
    beside = _beside(sizes, parts[0])
    figures = [*([beside] if beside else []), *sizes, *(figure for part in parts for figure in part.figures)]
    return framed(
        "page.html.jinja",
        figures,
        *SCRIPTS,
        record=record,
        baseline=analysis.baseline,
        exploratory=tables.exploratory(analysis),
        title=overview.title(analysis),
        findings=overview.findings(analysis),
        shown=SHOWN,
        beside=beside,
        conditions=overview.conditions(record),
        facts=overview.facts(analysis),
        table=RowsTable(analysis, anchors),
        meanings=by_meaning(group("verdicts")),
        signs=RANK_SIGNS,
        intervals=_intervals(analysis),
        key=rank_key() if analysis.tier_ranks else "",
        styles=styles,
        tasks=parts,
        unfolded=0 if sizes else OPEN if len(parts) <= OPEN else 1,
        sizes=sizes,
        scope=tables.scope(analysis, explain=False),
        environment=setup_tables.environment(record),
        command=setup_tables.reproduce(record),
        csv=html.script_json(_csv_lines(analysis)),
    )


def _csv_lines(analysis: RecordAnalysis) -> list[str]:
    """The lines of `samestep table --format csv`: the heading, then the rows as they stand on the page."""
    heading, *lines = tables.as_csv(analysis).split("\n")
    by_lane = {(lane.task, lane.lane): line for lane, line in zip(analysis, lines, strict=True)}
    return [heading, *(by_lane[lane.task, lane.lane] for lane in lanes_by_tier(analysis))]


def file_name(record: AnyRecord, baseline: str | None, name: str = NAME) -> str:
    """The file of a page; against another baseline than the plan's it has a name of its own."""
    if baseline is None or baseline == record.plan.baseline:
        return name
    return f"{name.removesuffix('.html')}-{re.sub(r'[^A-Za-z0-9_.-]', '-', baseline)}.html"


def _intervals(analysis: RecordAnalysis) -> str:
    """What the intervals of the table are."""
    level, record = fmt.level(analysis.level), analysis.record
    return (
        tables.no_intervals(record).rstrip(".") or f"Intervals are {level} over {len(record.blocks)} blocks"
    )


@dataclass
class TaskPart:
    """What the page shows of one task; `above` is the figure that stands at the top of the page."""

    task: str
    heading: str
    facts: list[str]
    figures: list[Figure]
    phases: TextTable | None
    above: Figure | None = None


def _task_part(analysis: RecordAnalysis, work: PlannedWork, styles: LaneStyles) -> TaskPart:
    """All charts of a task; on a grid's page only those that say more than its table, so that it stays small."""
    task = work.task.name
    makers = [speed_charts.times, proof_charts.parity, slice_charts.slices]
    if not analysis.crossover:
        makers = [
            speed_charts.ratios,
            *makers[:1],
            speed_charts.break_even,
            proof_charts.training,
            *makers[1:],
        ]
    figures = [figure for make in makers if (figure := make(analysis, task, styles))]
    heading, phases = tables.heading(analysis.record, work), tables.phases(analysis, task)
    return TaskPart(task, heading, tables.data_facts(work), figures, phases)


def _beside(sizes: list[Figure], first: TaskPart) -> Figure | None:
    """The figure beside the sentences, taken from its own place: the map, or the first task's ratios or times."""
    if sizes:
        return sizes.pop(0)
    if first.figures and first.figures[0].name in ("ratio", "time"):
        first.above = first.figures.pop(0)
    return first.above
