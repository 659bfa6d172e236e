"""The page holds what the record says, escaped, and the same record gives the same page."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from samestep.backends.spec import File
from samestep.benchmarks import cli
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import AnyRecord
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import formatting as figures
from samestep.benchmarks.report import sweep_tables, tables
from samestep.benchmarks.report.formatting import typeset
from samestep.benchmarks.report.html import Anchors
from samestep.benchmarks.report.page import (
    NAME,
    overview,
    page,
    proof_charts,
    setup_tables,
    size_charts,
    speed_charts,
)
from samestep.benchmarks.report.page.chart_parts import by_time
from samestep.benchmarks.report.page.lane_style import LaneStyles
from samestep.benchmarks.report.page.rows_table import RowsTable, in_words
from tests.helpers import grid_records
from tests.helpers.page_records import HOSTILE, awkward, grid, hostile
from tests.helpers.paths import RESULTS
from tests.helpers.records import record

pytestmark = pytest.mark.slow

REFERENCE, SWEEP = RESULTS / "reference", RESULTS / "sweep"
MOST_BYTES = 3_000_000
VOID = {"meta", "input", "path"}


def figures_of(text: str) -> list[dict[str, str]]:
    """The figures that a page holds as data: the lines of its CSV."""
    block = re.search(r'id="lines">(.*?)</script>', text, re.DOTALL)
    assert block
    return list(csv.DictReader(json.loads(block[1])))


@pytest.fixture(scope="module")
def reference() -> AnyRecord:
    return load(REFERENCE)


@pytest.fixture(scope="module")
def swept() -> str:
    return page(load(SWEEP))


@pytest.fixture(scope="module")
def text(reference: AnyRecord) -> str:
    return page(reference)


class Cells(HTMLParser):
    """The cells of the table with an id: {(task, lane): [(class, data-value, text)]} by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, str, str]]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.inside = found.get("id") == "rows" if tag == "table" else self.inside
        if self.inside and tag == "tr" and "data-task" in found:
            self.rows.append([])
        if self.inside and self.rows and tag in ("th", "td") and "data-value" in found:
            self.rows[-1].append((found.get("class") or "", found["data-value"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "table"

    def handle_data(self, data: str) -> None:
        if self.inside and self.rows and self.rows[-1]:
            kind, value, before = self.rows[-1][-1]
            self.rows[-1][-1] = kind, value, before + data


def embedded(text: str, name: str) -> dict[str, object]:
    """The JSON in one of the page's scripts."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    assert found
    value: dict[str, object] = json.loads(found[1])
    return value


# --- the whole ------------------------------------------------------------------------------------


def test_the_committed_pages_are_current(text: str, swept: str) -> None:
    by_rows = RESULTS / "sweep-rows"
    for folder, made in ((REFERENCE, text), (SWEEP, swept), (by_rows, page(load(by_rows)))):
        assert settled((folder / NAME).read_text(encoding="utf-8")) == settled(made)


def settled(text: str) -> str:
    """The page without the digits that depend on the machine's own libraries."""
    return re.sub(r"\d+\.\d{8,}(?:e-?\d+)?", lambda found: f"{float(found[0]):.9g}", text)


def test_the_page_is_one_small_file_that_fetches_nothing(text: str, swept: str) -> None:
    assert len(text.encode()) < MOST_BYTES
    assert len(swept.encode()) < MOST_BYTES
    assert "default-src 'none'" in text
    before = text.partition("<script>\n")[0]  # then come the bundle and our own script
    assert 200_000 < len(before) < len(text)
    assert not re.findall(r"<(?:script|link|img|iframe|object)[^>]*\b(?:src|href|data)=", before)
    assert "@import" not in before
    assert "url(" not in before
    assert text.count("window.vegaEmbed=") == 1


def test_no_framework_is_imported() -> None:
    code = (
        "import sys; from samestep.benchmarks.record.files import load;"
        "from samestep.benchmarks.report.page import page;"
        f"page(load({str(REFERENCE)!r}));"
        "print(sorted({'torch', 'jax', 'flax', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_figures_as_csv_are_those_of_the_table_in_the_page_s_order(
    reference: AnyRecord, text: str
) -> None:
    figures, analysis = figures_of(text), RecordAnalysis(reference)
    rows = RowsTable(analysis, Anchors()).rows
    assert [(one["task"], one["lane"]) for one in figures] == [(row.row.task, row.row.lane) for row in rows]
    lines = csv.DictReader(tables.as_csv(analysis).split("\n"))
    assert sorted(map(str, figures)) == sorted(map(str, lines))


@pytest.mark.parametrize("make", [awkward, lambda: load(REFERENCE)], ids=["awkward", "reference"])
def test_every_cell_is_the_figure_of_its_row_or_has_a_reason(make: object) -> None:
    made = make()  # type: ignore[operator]
    table = RowsTable(RecordAnalysis(made), Anchors())
    found = Cells(page(made)).rows
    assert len(found) == len(table.rows)
    for row, (lane, *cells) in zip(table.rows, found, strict=True):
        assert lane[1] == row.row.lane
        for (column, _), (kind, value, shown) in zip(table.columns, cells, strict=True):
            cell = column.cell(row.lane)
            assert value == ("" if cell.value is None else str(cell.value)), column.name
            assert shown.strip(), f"{row.row.lane}: {column.name} is blank without a reason"
            assert ("blank" in kind) == (cell.value is None)
            assert cell.value is None or shown.strip().startswith((typeset(cell.text), str(cell.value)))


def test_a_column_without_any_figure_is_left_out_and_the_reason_is_said_once() -> None:
    made = record({"torch": [1.0] * 6})
    text, table = page(made), RowsTable(RecordAnalysis(made), Anchors())
    assert "ratio" not in [entry.column.name for entry in table.columns]
    assert "in words, time/baseline and break-even steps: is the baseline" in table.absent
    assert all(line in unescape(text) for line in table.absent)
    both = RowsTable(RecordAnalysis(record({"jax": [0.5] * 6})), Anchors())
    assert "ratio" in [entry.column.name for entry in both.columns]
    for row in both.rows:
        assert len(row.cells) == len(both.columns)


def test_columns_are_the_summary_s_own_figures(reference: AnyRecord) -> None:
    lane = next(
        lane for lane in RecordAnalysis(reference) if lane.row.break_even and lane.row.break_even.steps
    )
    row = lane.row
    assert row.time
    assert row.verdict.ratio
    assert row.accuracy
    values = {
        column.heading: column.cell(lane).value for column, _ in RowsTable(lane.analysis, Anchors()).columns
    }
    assert values["time/step"] == row.time.value
    assert values["time/baseline"] == row.verdict.ratio.value
    assert (values["samples/s"], values.get("floor")) == (row.samples_per_second, row.floor)
    assert (values["first call"], values["memory"]) == (row.first_call_s, row.peak_memory)
    assert (values["bound used"], values["above exact"]) == (row.parity_share, row.accuracy.excess)
    assert row.break_even
    assert row.break_even.steps
    assert values["break-even steps"] == row.break_even.steps.value


# --- gates, names, notes --------------------------------------------------------------------------


def test_a_lane_without_proof_has_no_time_anywhere_on_the_page() -> None:
    made = awkward()
    text = page(made)
    specs = json.dumps(embedded(text, "specs"))
    for row in RecordAnalysis(made).rows:
        if row.verdict.word in ("INVALID", "FAILED"):
            assert f'"lane": "{row.lane}", "value"' not in specs
            assert f'"lane": "{row.lane}", "when"' not in specs
            assert escape(f"{row.lane} on lesson: {row.verdict.word}: {row.blank}") in text
    for piece in ('"lane": "numpy", "value"', '"lane": "numpy", "when"'):
        assert piece in specs
    assert {"INVALID", "FAILED", "UNSTABLE", "UNDECIDED"} <= set(re.findall(r"[A-Z]{6,}", text))


def test_names_are_text_wherever_they_stand() -> None:
    made = hostile()
    for text in (page(made), tables.render(RecordAnalysis(made), "html")):
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    block = re.search(r'id="lines">(.*?)</script>', page(made), re.DOTALL)
    assert block
    assert not set("<>&") & set(block[1])
    assert HOSTILE in {one["lane"] for one in figures_of(page(made))}


def test_one_block_has_no_interval_and_no_verdict() -> None:
    text = page(record({"jax": [0.5]}))
    assert "±?" in text
    assert "too few blocks" in text
    assert "UNDECIDED: 1 of 1 blocks were measured; a test needs 4" in text


# --- the first screen -----------------------------------------------------------------------------


def test_the_first_screen_names_lanes_then_conditions_beside_the_ratios(
    reference: AnyRecord, text: str
) -> None:
    analysis = RecordAnalysis(reference)
    places = [text.index(escape(typeset(one.text))) for one in overview.findings(analysis)]
    places += [text.index(escape(overview.conditions(reference))), text.index('id="lesson-ratio"')]
    places += [
        text.index(f'id="{name}"') for name in ("charts", "lesson-time", "table", "rows", "environment")
    ]
    assert places == sorted(places)
    assert f"{len(reference.blocks)} blocks" in overview.conditions(reference)
    assert text.count('id="lesson-ratio"') == 1


def test_the_title_counts_lanes_and_tasks() -> None:
    assert overview.title(RecordAnalysis(record({"torch": [1.0, 1.0]}))) == "1 lane on lesson"
    assert overview.title(RecordAnalysis(grid())) == "3 lanes at 6 sizes"
    assert overview.title(RecordAnalysis(load(REFERENCE))) == "15 lanes on lesson, diabetes and wide"


def test_of_many_tasks_the_others_are_folded_and_one_chart_stands_beside() -> None:
    names = [f"task {n}" for n in range(6)]
    made = record({"jax": [0.5] * 6})
    works = tuple(
        made.plan.works[0].model_copy(update={"task": made.plan.works[0].task.model_copy(update={"name": n})})
        for n in names
    )
    plan = made.plan.model_copy(update={"works": works, "family": ()})
    blocks = tuple(
        block.model_copy(
            update={"slices": tuple(p.model_copy(update={"task": n}) for n in names for p in block.slices)}
        )
        for block in made.blocks
    )
    certified = tuple(c.model_copy(update={"task": n}) for n in names for c in made.certified)
    text = page(made.model_copy(update={"plan": plan, "blocks": blocks, "certified": certified}))
    assert '<h1 id="overview">2 lanes on 6 tasks</h1>' in text
    assert "<summary>2 more tasks</summary>" in text
    for name in names:
        assert f"On {name} JAX as documented takes 50.00" in text


def test_without_a_ratio_the_times_stand_beside_and_without_times_nothing() -> None:
    alone = page(record({"torch": [1.0] * 6}))
    assert alone.index('id="lesson-time"') < alone.index('id="charts"')
    unproven = page(record({"jax": [0.5] * 6}, status={"jax": "fail", "torch": "fail"}))
    assert "On the lesson nothing can be said of any lane." in unproven
    assert 'id="lesson-ratio"' not in unproven


# --- charts ---------------------------------------------------------------------------------------


def test_rows_of_charts_stand_by_time(reference: AnyRecord, text: str) -> None:
    analysis = RecordAnalysis(reference)
    specs = embedded(text, "specs")["specs"]
    assert isinstance(specs, list)
    domains = [layer["encoding"]["y"]["scale"]["domain"] for s in specs for layer in s["layer"][-1:]]
    orders = [[r.lane for r in by_time(analysis.rows_of(task)) if r.time] for task in analysis.tasks]
    assert len(domains) > 10
    for domain in domains:
        assert [lane for lane in domain if isinstance(lane, str)] in [
            [lane for lane in order if lane in domain] for order in orders
        ]


def test_training_is_a_table_that_says_what_lanes_share(reference: AnyRecord, text: str) -> None:
    styles = LaneStyles(reference)
    shown = {t: proof_charts.training(RecordAnalysis(reference), t, styles) for t in reference.tasks}
    near, far = shown["lesson"], shown["wide"]
    assert near
    assert far
    assert (near.spec, far.spec) == (None, None)
    assert "within 1%" in near.table.columns
    assert far.table.columns == ("lane", "steady", "with first call")  # no lane comes close: no empty column
    assert near.says.startswith("The 15 lanes have the same losses: ")
    assert "Training ends 5.7% above the exact solution's loss." in far.says
    assert "Accuracy against time" not in text


def test_a_break_even_without_any_number_is_a_table() -> None:
    made = RecordAnalysis(record({"jax": [0.5] * 6}, cold={"torch": 0.02, "jax": 0.01}))
    figure = speed_charts.break_even(made, "lesson", LaneStyles(made.record))
    assert figure
    assert figure.spec is None
    assert figure.table.rows == [("jax", "from the first step")]


def test_labels_say_how_many_times_as_fast_and_make_no_claim_of_an_unstable_lane() -> None:
    specs = json.dumps(embedded(page(awkward()), "specs"))
    assert re.search(r'"label": "0\.50\d*, [12]\.\d+x as fast"', specs)
    assert re.search(r'"label": "[\d.]+, UNSTABLE"', specs)
    row = RecordAnalysis(awkward()).row_of["lesson", "jax:tuned"]
    assert in_words(row) == ""


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [awkward, hostile, grid, lambda: load(REFERENCE)])
def test_every_address_is_given_once_and_every_link_within_the_page_leads_somewhere(make: object) -> None:
    text = page(make())  # type: ignore[operator]
    ids = re.findall(r'\bid="([^"]+)"', text)
    links = re.findall(r'href="#([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)
    assert {f"{figure}" for figure in re.findall(r'<figure[^>]* id="([^"]+)"', text)} <= set(links)
    assert all(re.fullmatch(r"[a-z0-9-]+", anchor) for anchor in links)


def test_names_that_look_alike_have_addresses_of_their_own() -> None:
    anchors = Anchors("table")
    assert [anchors.of("a:b", "C"), anchors.of("a", "b c"), anchors.of("table"), anchors.of("<>")] == [
        "a-b-c",
        "a-b-c-2",
        "table-2",
        "part",
    ]


# --- a grid of sizes ------------------------------------------------------------------------------


def test_a_grid_has_a_map_and_lines_and_nothing_else_has(text: str) -> None:
    shown = page(grid())
    for title in ("Crossover map", "Overhead and rate"):
        assert f"<strong>{title} <a" in shown
        assert title not in text


def test_a_grid_is_summed_up_by_its_sizes() -> None:
    analysis = RecordAnalysis(grid())
    raced = "Of the 3 lanes that raced, at 6 sizes of a batch, 1 x 2 to 64 x 32 values, "
    assert (
        overview.over_sizes(analysis) == f"{raced}numpy is fastest alone at 5 "
        "(the next lane takes 1.97 to 3.95 times as long) and two or more are not separated at 1."
    )
    made = analysis.crossover
    assert made
    unknown = {"fastest": None, "not_separated": (), "untested": ("jax",), "reason": "jax: INVALID: audit"}
    cells = [[cell.model_copy(update=unknown) for cell in row] for row in made.cells]
    plan = grid().plan.model_copy(update={"missing": {"a": "absent", "b": "absent"}})
    undecided = RecordAnalysis(grid().model_copy(update={"plan": plan}))
    undecided.crossover = made.model_copy(update={"cells": tuple(map(tuple, cells))})
    said = overview.over_sizes(undecided)
    assert said.startswith("Of the 3 lanes that raced (a and b did not), at")
    assert said.endswith("values, nothing can be said at 6 for want of enough times of jax.")
    chart = size_charts.fastest(undecided.crossover, undecided, LaneStyles(undecided.record))
    assert ", and at 6 nobody can be named: the table says why" in chart.says
    assert {row[2] for row in chart.table.rows} == {"not known: jax: INVALID: audit"}


def test_a_cell_of_the_map_says_by_how_much_unless_nothing_can_be_claimed() -> None:
    analysis = RecordAnalysis(grid())
    assert analysis.crossover
    figure = size_charts.fastest(analysis.crossover, analysis, LaneStyles(analysis.record))
    assert figure.spec
    values = figure.spec["datasets"][figure.spec["layer"][0]["data"]["name"]]
    tiles = {tile["cell"]: tile for tile in values}
    for cell in analysis.crossover.sizes():
        tile = tiles[f"batch {cell.batch:,}, {cell.features:,} features"]
        assert tile["name"] == cell.fastest
        if cell.not_separated:
            count = len(cell.not_separated)
            assert (tile["lead"], tile["the next"]) == (f"+{count} not separated", "not judged")
        else:
            following = cell.entries[1]
            assert following.ratio
            assert tile["lead"] == sweep_tables.lead(cell) != ""
            assert float(tile["lead"].rstrip("x")) == pytest.approx(following.ratio.value, rel=0.05)
            assert tile["the next"].startswith(f"{following.lane}, ")
    cell = next(cell for cell in analysis.crossover.sizes() if not cell.not_separated)
    unstable = cell.entries[1].model_copy(update={"reason": "twin"})
    assert sweep_tables.lead(cell.model_copy(update={"entries": (cell.entries[0], unstable)})) == ""
    assert sweep_tables.lead(cell.model_copy(update={"entries": cell.entries[:1]})) == ""


def test_a_grid_with_one_lane_names_no_winner() -> None:
    alone = RecordAnalysis(grid_records.grid({(b, f): {"a": [9.0] * 6} for b in (1, 8) for f in (2, 32)}))
    assert overview.over_sizes(alone) == "Only a raced, so that nothing was compared."


# --- pieces ---------------------------------------------------------------------------------------


def test_the_command_asks_for_this_very_record(reference: AnyRecord) -> None:
    words = shlex.split(setup_tables.reproduce(reference))
    assert words[:2] == ["samestep", "compare"]
    given = list(zip(words[2::2], words[3::2], strict=True))
    assert [value for name, value in given if name == "--task"] == list(reference.tasks)
    assert [value for name, value in given if name == "--lane"] == list(reference.plan.lanes)
    assert dict(given)["--effort"] == reference.plan.effort.name
    compare = typer.main.get_command(cli.app).commands["compare"]  # type: ignore[attr-defined]
    assert {name for name, _ in given} <= {option for each in compare.params for option in each.opts}


def test_the_page_s_command_can_be_pasted(reference: AnyRecord, text: str, swept: str) -> None:
    for shown, words in (
        (text, setup_tables.reproduce(reference)),
        (swept, setup_tables.reproduce(load(SWEEP))),
    ):
        code = re.search(r"<pre[^>]*><code>(.*?)</code>", shown, re.DOTALL)
        assert code
        assert shlex.split(unescape(code[1])) == shlex.split(words)


def test_the_command_of_a_sweep_asks_for_no_lane_that_nobody_asked_for() -> None:
    swept = load(SWEEP)
    plan = swept.plan.model_copy(update={"missing": {"numba": "it compiles for every size"}})
    lanes = tuple(lane for lane in plan.lanes if lane != "numba")
    words = setup_tables.reproduce(
        swept.model_copy(update={"plan": plan.model_copy(update={"lanes": lanes})})
    )
    assert words.startswith("samestep sweep ")
    assert "numba" not in words


def test_the_command_names_a_file_without_its_folder_and_quotes_it() -> None:
    made = record({"jax": [0.5, 0.5]})
    work = made.plan.works[0]
    task = work.task.model_copy(update={"dataset": File(path="/home/x/my data.csv", target="a;b")})
    plan = made.plan.model_copy(update={"works": (work.model_copy(update={"task": task}),)})
    words = setup_tables.reproduce(made.model_copy(update={"plan": plan}))
    assert "--data 'my data.csv' --target 'a;b'" in words
    assert "/home" not in words


def test_a_task_that_no_command_names_has_no_command() -> None:
    made = record({"jax": [0.5, 0.5]})
    work = made.plan.works[0]
    task = work.task.model_copy(update={"epochs": 7})
    plan = made.plan.model_copy(update={"works": (work.model_copy(update={"task": task}),)})
    made = made.model_copy(update={"plan": plan})
    assert setup_tables.reproduce(made) == ""
    assert "not one that a command names" in page(made)


def test_lanes_of_one_color_and_tier_differ_in_their_dashes(reference: AnyRecord) -> None:
    looks = LaneStyles(reference)
    one, other = looks.of["torch:compile"], looks.of["torch:tuned"]
    assert (one.color, one.shape) == (other.color, other.shape)
    assert one.dash != other.dash
    assert len({look[1:] for look in looks.of.values()}) == len(looks.of)


def test_html_tables_are_by_task_and_tier_with_the_figures_of_markdown(reference: AnyRecord) -> None:
    text = tables.render(RecordAnalysis(reference), "html")
    assert re.findall(r"<h2 id=\"task-\d\">(\w+):", text) == list(reference.tasks)
    groups = re.findall(r'<th scope="rowgroup"[^>]*>(\w+)</th>', text)
    assert groups[:4] == ["documented", "tuned", "fused", "documented"]  # once in each table
    for row in RecordAnalysis(reference).rows:
        assert f"<td>{typeset(figures.timing(row.time))}" in text


# --- the command ----------------------------------------------------------------------------------


def test_the_page_is_written_beside_the_record_or_where_asked(tmp_path: Path) -> None:
    (tmp_path / "benchmark.json").write_text(json.dumps({"samestep": awkward().model_dump(mode="json")}))
    for words, written in (((), tmp_path / NAME), (("--out", str(tmp_path / "p.html")), tmp_path / "p.html")):
        done = CliRunner().invoke(cli.app, ["report", str(tmp_path), *words])
        assert (done.exit_code, done.stdout.strip()) == (0, str(written))
        assert written.read_text(encoding="utf-8") == page(load(tmp_path))


def test_another_baseline_has_a_page_of_its_own_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "benchmark.json").write_text(json.dumps({"samestep": awkward().model_dump(mode="json")}))
    done = CliRunner().invoke(cli.app, ["report", str(tmp_path), "--baseline", "numpy:tuned"])
    assert done.stdout.strip() == str(tmp_path / "report-numpy-tuned.html")
    text = (tmp_path / "report-numpy-tuned.html").read_text(encoding="utf-8")
    assert "<strong>Exploratory: the baseline fixed before measuring was torch. The level" in text
    assert "baseline numpy:tuned. Intervals" in text
    assert {one["baseline"] for one in figures_of(text)} == {"numpy:tuned"}
    CliRunner().invoke(cli.app, ["report", str(tmp_path), "--baseline", "torch"])
    assert "Exploratory" not in (tmp_path / NAME).read_text(encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["report", str(tmp_path), "--baseline", "torhc"])
    assert "no lane 'torhc' in this record" in str(done.exception)


@pytest.mark.parametrize(("out", "line"), [(".", "is a folder"), ("none/p.html", "there is no folder none")])
def test_a_page_that_cannot_be_written_is_one_line(out: str, line: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["report", str(REFERENCE), "--out", out])
    assert line in str(done.exception)
    assert "\n" not in str(done.exception)
