"""The page: one self-contained HTML file from a record alone, without any framework or network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import altair as alt
import vl_convert
from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

from ...analysis import RecordAnalysis, Row
from ...analysis.summary import summarize
from ...console.errors import InputError
from ...record import Record
from ...record.plan import PlannedWork
from .. import html, tables
from ..glossary import KEY, MEANINGS, SIGNS
from . import facts, overview
from . import noise_charts as noise
from . import page_columns as columns
from . import proof_charts as proof
from . import size_charts as across
from . import speed_charts as speed
from .axes import CONFIG
from .figure import Figure
from .lane_style import Looks

NAME = "report.html"
FIGURES = "figures"  # the script that holds the table's figures as data
OPEN = 4  # tasks whose charts are unfolded; of more, only the first one's are


def page(record: Record, *, baseline: str | None = None) -> str:
    """The whole page. The same record gives the same text, byte for byte.

    Raises:
        InputError: a piece of the record cannot be read, or the baseline is not a lane of the record.
    """
    chosen = baseline or record.plan.baseline
    rows, looks = summarize(record, baseline=baseline), Looks(record)
    marks = RecordAnalysis(record, baseline).tier_ranks
    lines, notes = columns.lines(rows, marks)
    grid = RecordAnalysis(record).crossover
    parts = [_part(record, work, rows, looks, brief=grid is not None) for work in record.plan.works]
    sizes = across.of_grid(grid, record, rows, looks)
    figures = [*sizes, *(figure for part in parts for figure in part.figures)]
    return html.fill(
        "page.html.jinja",
        record=record,
        baseline=chosen,
        exploratory=tables.exploratory(record) if chosen != record.plan.baseline else "",
        found=overview.over_sizes(grid, record) if grid else overview.found(record, rows, chosen),
        conditions=overview.conditions(record),
        facts=overview.facts(record, rows),
        columns=columns.COLUMNS,
        lines=lines,
        notes=notes,
        words=MEANINGS,
        signs=SIGNS,
        key=KEY if marks else "",
        looks=looks,
        tasks=parts,
        unfolded=OPEN if len(parts) <= OPEN else 1,
        sizes=sizes,
        scope=tables.scope(record, baseline, rows=()),
        environment=facts.environment(record),
        command=facts.reproduce(record),
        table_words=tables.WORDS,
        figures=FIGURES,
        rows=html.script_json([json.loads(row.model_dump_json()) for row in rows]),
        charts=html.script_json({"config": CONFIG, "specs": _specs(figures)}),
        **_inlined(),
    )


def rows_of(text: str) -> tuple[Row, ...]:
    """The figures that a page shows, to be held against `summarize` of its record.

    Raises:
        InputError: the text is not a page of this kind.
    """
    _, _, rest = text.partition(f'<script type="application/json" id="{FIGURES}">')
    block = re.sub(r'("(?:low|high|detectable)":)"(Infinity)"', r"\1\2", rest.partition("</script>")[0])
    try:
        return tuple(TypeAdapter(list[Row]).validate_json(block))
    except ValidationError as error:
        raise InputError("not a page that `samestep report` made: it has no block of figures") from error


def values_of(text: str) -> list[Any]:
    """The data that the charts of a page draw: every list `values` of their specifications, in order.

    Raises:
        InputError: the text is not a page of this kind.
    """
    _, _, rest = text.partition('<script type="application/json" id="specs">')
    try:
        return list(_values(json.loads(rest.partition("</script>")[0])["specs"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError("not a page that `samestep report` made: its charts cannot be read") from error


def _values(spec: Any) -> Iterator[Any]:
    for key, value in spec.items() if isinstance(spec, dict) else enumerate(spec):
        if key == "values":
            yield value
        elif key == "datasets":  # by digests of their values, which differ with a last digit
            yield from value.values()
        elif isinstance(value, dict | list):
            yield from _values(value)


def file_name(record: Record, baseline: str | None) -> str:
    """The file of a page; against another baseline than the plan's it has a name of its own."""
    if baseline is None or baseline == record.plan.baseline:
        return NAME
    return f"report-{re.sub(r'[^A-Za-z0-9_.-]', '-', baseline)}.html"


class Part(NamedTuple):
    """What the page shows of one task."""

    heading: str
    facts: list[str]
    figures: list[Figure]
    phases: tables.Table | None


def _part(record: Record, work: PlannedWork, rows: Sequence[Row], looks: Looks, *, brief: bool) -> Part:
    """All charts of a task; in brief those that say more than the table, so that a grid's page stays small."""
    own = [row for row in rows if row.task == work.task.name]
    charts = [speed.times(own, looks), proof.parity(record, own, looks), noise.moments(record, own, looks)]
    if not brief:
        charts[1:1] = [speed.ratios(own, looks), proof.training(record, own, looks)]
        charts[-1:-1] = [speed.break_even(record, own, looks), proof.endings(record, own)]
    phases, known = tables.phases(record, work.task.name), [figure for figure in charts if figure]
    return Part(tables.heading(record, work), tables.data_facts(work), known, phases)


def _specs(figures: list[Figure]) -> list[dict[str, Any]]:
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
