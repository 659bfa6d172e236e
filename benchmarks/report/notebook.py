"""A record in a notebook: its tables in the notebook's own colors, and an Altair chart of its ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..analysis import RecordAnalysis
from . import html, tables

if TYPE_CHECKING:  # charts are slow to import
    import altair

CHART_WIDTH = 420


def tables_html(analysis: RecordAnalysis) -> str:
    """The tables of every task as a part of a page, which takes text and background from it."""
    document = tables.record_document(analysis)
    return html.fill("notebook.html.jinja", sections=document.sections, closing=document.closing)


def ratio_charts(analysis: RecordAnalysis) -> altair.VConcatChart | None:
    """A chart of the ratios to the baseline for each task, one below the other; None where there is no ratio."""
    import altair as alt

    from .page.chart_parts import CONFIG, INK
    from .page.lane_style import LaneStyles
    from .page.speed_charts import ratios

    styles, parts, datasets = LaneStyles(analysis.record), list[dict[str, Any]](), dict[str, Any]()
    for task in analysis.tasks:
        figure = ratios(analysis, task, styles)
        if figure and figure.spec:
            datasets |= figure.spec.get("datasets", {})
            spec = {name: part for name, part in figure.spec.items() if name not in ("$schema", "datasets")}
            parts.append(spec | {"width": CHART_WIDTH, "title": task})
    if not parts:
        return None
    config = CONFIG | {
        "background": "transparent",
        "title": {"color": INK},
    }  # text and axes take the color of the page's text
    whole = {"$schema": alt.SCHEMA_URL, "vconcat": parts, "datasets": datasets, "config": config}
    chart: altair.VConcatChart = alt.VConcatChart.from_dict(whole, validate=False)
    return chart
