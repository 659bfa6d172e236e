"""README's picture: the ratios of the reference result's first task, as SVG for light and dark pages."""

from __future__ import annotations

import json

import vl_convert

from docs.generate.pages import REFERENCE, ROOT
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report.page.chart_parts import CONFIG, INK, VEGA_LITE
from samestep.benchmarks.report.page.lane_style import LaneStyles
from samestep.benchmarks.report.page.speed_charts import ratios

PICTURE = ROOT / "docs" / "lesson.svg"
GRAY = "#7a7a7a"  # a contrast of more than 4 with white and with GitHub's dark background
WIDTH = 560
PADDING = {"left": 24, "right": 18, "top": 5, "bottom": 5}  # a reader's font may be wider than this machine's


def picture() -> str:
    """The chart as SVG. Places depend on the fonts of the machine, the figures do not."""
    record = load(REFERENCE)
    figure = ratios(RecordAnalysis(record), record.tasks[0], LaneStyles(record))
    assert figure is not None
    assert figure.spec is not None
    spec = figure.spec | {"width": WIDTH, "padding": PADDING, "config": CONFIG}
    whole = json.dumps(spec, allow_nan=False).replace(INK, GRAY)
    return vl_convert.vegalite_to_svg(whole, vl_version=VEGA_LITE) + "\n"
