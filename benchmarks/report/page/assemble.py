"""The parts of the page, put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import altair as alt
import vl_convert
from markupsafe import Markup

from ...analysis import RecordAnalysis
from ...record import AnyRecord
from ...record.plan import PlannedWork
from .. import html, tables
from ..glossary import MEANINGS, RANK_KEY, RANK_SIGNS
from ..text_table import TextTable
from . import overview, proof_charts, setup_tables, size_charts, speed_charts
from .chart_parts import CONFIG, Figure
from .lane_style import LaneStyles
from .rows_table import RowsTable

NAME = "report.html"
OPEN = 4  # tasks whose charts are unfolded; of more, only the first one's are


def page(record: AnyRecord, *, baseline: str | None = None) -> str:
    """The whole page. The same record gives the same text, byte for byte.

    Raises:
        InputError: a piece of the record cannot be read, or the baseline is not a lane of the record.
    """
    analysis, styles = RecordAnalysis(record, baseline), LaneStyles(record)
    sizes = size_charts.of_grid(analysis, styles)
    task_parts = [_task_part(analysis, work, styles) for work in record.plan.works]
    figures = [*sizes, *(figure for part in task_parts for figure in part.figures)]
    return html.fill(
        "page.html.jinja",
        record=record,
        baseline=analysis.baseline,
        exploratory=tables.exploratory(analysis),
        overview=overview.over_sizes(analysis) if analysis.crossover else overview.verdicts(analysis),
        conditions=overview.conditions(record),
        facts=overview.facts(analysis),
        table=RowsTable(analysis),
        meanings=MEANINGS,
        signs=RANK_SIGNS,
        intervals=_intervals(record),
        key=RANK_KEY if analysis.tier_ranks else "",
        styles=styles,
        tasks=task_parts,
        unfolded=OPEN if len(task_parts) <= OPEN else 1,
        sizes=sizes,
        scope=tables.scope(analysis, explain=False),
        environment=setup_tables.environment(record),
        command=setup_tables.reproduce(record),
        rows=html.script_json([row.as_json() for row in analysis.rows]),
        charts=html.script_json({"config": CONFIG, "specs": _specifications(figures)}),
        **_inlined(),
    )


def file_name(record: AnyRecord, baseline: str | None) -> str:
    """The file of a page; against another baseline than the plan's it has a name of its own."""
    if baseline is None or baseline == record.plan.baseline:
        return NAME
    return f"report-{re.sub(r'[^A-Za-z0-9_.-]', '-', baseline)}.html"


def _intervals(record: AnyRecord) -> str:
    """What the intervals of the table are."""
    return tables.no_intervals(record).rstrip(".") or f"Intervals are 95% over {len(record.blocks)} blocks"


class TaskPart(NamedTuple):
    """What the page shows of one task."""

    heading: str
    facts: list[str]
    figures: list[Figure]
    phases: TextTable | None


def _task_part(analysis: RecordAnalysis, work: PlannedWork, styles: LaneStyles) -> TaskPart:
    """All charts of a task; on a grid's page only those that say more than its table, so that it stays small."""
    task = work.task.name
    makers = [speed_charts.times, proof_charts.parity, speed_charts.slices]
    if not analysis.crossover:
        makers[1:1] = [speed_charts.ratios, proof_charts.training]
        makers[-1:-1] = [speed_charts.break_even, proof_charts.training_ends]
    figures = [figure for make in makers if (figure := make(analysis, task, styles))]
    heading, phases = tables.heading(analysis.record, work), tables.phases(analysis, task)
    return TaskPart(heading, tables.data_facts(work), figures, phases)


def _specifications(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """The specifications by the number that the template gives to each figure."""
    drawn = [figure for figure in figures if figure.spec]
    for number, figure in enumerate(drawn):
        figure.number = number
    return [figure.spec for figure in drawn if figure.spec]


@cache
def _inlined() -> dict[str, Markup]:
    """Styles and scripts, and the policy: nothing is fetched, and no script runs but these two."""
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    bundle = bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")  # it must not end its element
    script = str(html.static("page.js"))
    allowed = " ".join(map(html.script_hash, (f"\n{bundle}\n", f"\n{script}\n")))
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    return {
        "base": html.static("base.css"),
        "style": html.static("page.css"),
        "bundle": Markup(bundle),
        "script": Markup(script),
        "policy": Markup(policy),
    }
