"""The page in a real browser: it draws, sorts, filters and fits, fetches nothing and runs no foreign script."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import AnyRecord
from samestep.benchmarks.report import formatting as fmt
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.html import Anchors
from samestep.benchmarks.report.page import changes_page, page
from samestep.benchmarks.report.page.rows_table import RowsTable
from tests.helpers.page_records import EVEN, HOSTILE, awkward, grid, hostile
from tests.helpers.records import record
from tests.helpers.reference import reference

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("no chromium is installed", allow_module_level=True)

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

pytestmark = pytest.mark.slow
PATIENCE_S = 240  # a busy machine may take long for anything

RECORDS: dict[str, Callable[[], AnyRecord]] = {
    "reference": lambda: reference().record,
    "awkward": awkward,
    "hostile": hostile,
    "grid": grid,
}
PAGES = [*RECORDS, "changes"]  # the last is of two records


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=flags, timeout=1000 * PATIENCE_S)
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, make in RECORDS.items():
        (folder / f"{name}.html").write_text(page(make()), encoding="utf-8")
    moved = record({"jax": EVEN, "numpy": [0.3 * value for value in EVEN], "torch:fused": EVEN})
    (folder / "changes.html").write_text(changes_page(awkward(), moved), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


SHEET = 703  # pixels: A4 without its margins
# what there is when a sheet has been laid out, before the page is made again as it was
ON_PAPER = """addEventListener('afterprint', () => {
  const count = selector => document.querySelectorAll(selector).length;
  const groups = [...document.querySelectorAll('table.rows')].filter(each => each.checkVisibility());
  window.printed = {
    charts: count('[data-chart] svg'),
    folded: count('details.task:not([open])'),
    groups: groups.map(each => each.dataset.columns),
  };
});"""
RIGHTMOST = """() => Math.max(...[...document.querySelectorAll('main *')]
  .filter(each => each.checkVisibility() && !each.closest('.hidden, svg'))
  .map(each => each.getBoundingClientRect().right))"""

# every chart comes into view for two frames, as by a reader who scrolls through the page
SCROLLED = """async () => {
  for (const place of document.querySelectorAll('[data-chart]')) {
    place.scrollIntoView({ behavior: 'instant' });
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
  }
}"""


class Opened:
    """A page in a tab of its own, with everything that it said or asked for."""

    def __init__(
        self, browser: Browser, path: Path, width: int = 1280, height: int = 900, **options: Any
    ) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.context.set_default_timeout(1000 * PATIENCE_S)
        self.context.add_init_script(ON_PAPER)
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self.dismissed)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def dismissed(self, dialog: Any) -> None:
        self.said.append(dialog.message)
        dialog.dismiss()

    def draw(self) -> Page:
        """Unfold everything and wait until all charts are drawn."""
        self.page.evaluate("document.querySelectorAll('details.task').forEach(each => { each.open = true })")
        self.page.evaluate(SCROLLED)
        self.until("!document.querySelector('[data-chart]:not([data-drawn])')")
        return self.page

    def until(self, condition: str, seconds: float = PATIENCE_S) -> None:
        """Wait for a condition; Playwright's own wait needs eval, which the page does not allow."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(30)


Open = Callable[..., Opened]
Drawn = Callable[..., Opened]


@pytest.fixture(scope="module")
def drawn(browser: Browser, pages: dict[str, Path]) -> Iterator[Drawn]:
    """A page with all of its charts, drawn once for the tests that look at it and leave it as it was."""
    made: dict[tuple[str, int], Opened] = {}

    def look(name: str, width: int = 1280) -> Opened:
        if (name, width) not in made:
            made[name, width] = Opened(browser, pages[name], width)
            made[name, width].draw()
        return made[name, width]

    yield look
    for one in made.values():
        one.context.close()


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    made: list[Opened] = []

    def open_(name: str, **options: Any) -> Opened:
        made.append(Opened(browser, pages[name], **options))
        return made[-1]

    yield open_
    for one in made:
        one.context.close()


def column(tab: Page, name: str) -> list[str]:
    """The figures of a column's visible cells, from top to bottom."""
    script = """name => {
      const index = document.querySelector(`#rows th[data-name="${name}"]`).cellIndex;
      const rows = [...document.querySelectorAll('#rows tbody tr')].filter(row => !row.hidden);
      return rows.map(row => row.cells[index].dataset.value);
    }"""
    values: list[str] = tab.evaluate(script, name)
    return values


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_is_drawn_without_an_error_or_a_request(name: str, drawn: Drawn) -> None:
    one = drawn(name)
    tab = one.page
    assert tab.locator("[data-drawn] svg").count() == tab.locator("[data-chart]").count() > 0
    assert one.said == []
    assert len(one.requests) == 1  # the file itself


@pytest.mark.parametrize("name", RECORDS)
def test_paper_has_every_chart_and_every_column_though_nothing_was_scrolled_to(
    name: str, opened: Open
) -> None:
    one = opened(name, height=100)
    tab = one.page
    charts = tab.locator("[data-chart]").count()
    folded = tab.locator("details.task:not([open])").count()
    assert tab.locator("[data-chart] svg").count() < charts
    tab.select_option("[name=columns]", "cost")
    assert tab.pdf(format="A4").startswith(b"%PDF")
    assert tab.evaluate("window.printed") == {
        "charts": charts,
        "folded": 0,
        "groups": ["speed", "cost", "accuracy"],
    }
    assert tab.locator("details.task:not([open])").count() == folded
    assert tab.locator("table.rows").count() == 1
    assert tab.locator("#rows").get_attribute("data-columns") == "cost"
    assert tab.locator("#rows").is_visible()
    one.draw()
    assert one.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["reference", "awkward", "grid"])
def test_nothing_is_cut_on_a_sheet_and_ink_is_dark(name: str, scheme: str, opened: Open) -> None:
    one = opened(name, width=SHEET, color_scheme=scheme)
    tab = one.page
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("[data-chart] svg").count() == tab.locator("[data-chart]").count()
    assert tab.evaluate(RIGHTMOST) <= SHEET
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(27, 28, 29)"
    analysis = reference() if name == "reference" else RecordAnalysis(RECORDS[name]())
    columns = RowsTable(analysis, Anchors()).columns
    for group in ("speed", "cost", "accuracy"):
        headings = tab.locator(f'table.rows[data-columns="{group}"]:not(#rows) thead th').all_inner_texts()
        assert {entry.column.heading for entry in columns if entry.group == group} <= set(headings)
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator("table.rows").count() == 1


def test_a_page_of_tables_alone_is_not_cut_on_a_sheet(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "tables.html"
    path.write_text(tables.render(reference(), "html"), encoding="utf-8")
    one = Opened(browser, path, width=SHEET)
    one.page.emulate_media(media="print")
    assert one.page.evaluate(RIGHTMOST) <= SHEET
    one.context.close()


def test_without_a_script_paper_has_the_figures_of_the_charts(opened: Open) -> None:
    tab = opened("awkward", width=SHEET, java_script_enabled=False).page
    tab.emulate_media(media="print")
    assert tab.locator("details.figures table").first.is_visible()
    assert not tab.locator(".plot").first.is_visible()
    right = [
        box["x"] + box["width"] for each in tab.locator("#rows th").all() if (box := each.bounding_box())
    ]
    assert len(right) > 20
    assert max(right) <= SHEET


def test_headers_sort_both_ways_by_number_and_blanks_come_last(opened: Open) -> None:
    tab = opened("awkward").page
    header = tab.locator('#rows th[data-name="time/step"]')
    for direction, reverse in (("ascending", False), ("descending", True)):
        header.locator("button").focus()
        tab.keyboard.press("Enter")
        assert header.get_attribute("aria-sort") == direction
        *known, last, other = column(tab, "time/step")
        assert known == sorted(known, key=float, reverse=reverse)
        assert (last, other) == ("", "")
    tab.locator('#rows th[data-name="lane"] button').click()
    assert header.get_attribute("aria-sort") == "none"
    assert column(tab, "lane") == sorted(column(tab, "lane"))


def test_filters_leave_the_rows_that_fit(opened: Open) -> None:
    one = opened("reference")
    tab = one.page
    rows = reference().rows
    task, tier = rows[-1].task, rows[-1].tier
    lanes = [row.lane for row in rows if (row.task, row.tier) == (task, tier)]
    tab.select_option("[name=task]", task)
    tab.select_option("[name=tier]", tier)
    assert column(tab, "lane") == lanes
    assert tab.locator("#count").inner_text() == f"{len(lanes)} of {len(rows)} rows"
    tab.fill("[name=text]", lanes[-1])
    assert column(tab, "lane") == lanes[-1:]
    tab.locator("button[type=reset]").click()
    one.until(f"document.getElementById('count').textContent == '{len(rows)} of {len(rows)} rows'")
    word = next(row.verdict.word for row in rows if row.verdict.word != "BASELINE")
    tab.select_option("[name=verdict]", word)
    assert set(column(tab, "lane")) == {row.lane for row in rows if row.verdict.word == word}
    tab.select_option("[name=columns]", "accuracy")
    assert tab.locator('#rows th[data-name="loss"]').is_visible()
    assert not tab.locator('#rows th[data-name="time/step"]').is_visible()


def test_the_columns_of_speed_come_first_and_all_are_there_without_a_script(opened: Open) -> None:
    for width, script, shown in ((1280, True, "tier"), (390, True, ""), (390, False, "tier memory")):
        tab = opened("awkward", width=width, java_script_enabled=script).page
        for name in ("tier", "memory"):
            assert tab.locator(f'#rows th[data-name="{name}"]').is_visible() == (name in shown)
        assert tab.locator('#rows th[data-name="time/step"]').is_visible()


def test_a_mark_tells_its_lane(drawn: Drawn) -> None:
    tab = drawn("reference").page
    tab.locator("#lesson-ratio svg .mark-symbol path").first.hover()
    tip = tab.locator("#vg-tooltip-element.visible")
    row = min((row for row in reference().rows_of("lesson") if row.time), key=lambda row: row.time.value)  # type: ignore[union-attr]
    assert row.lane in tip.inner_text()
    assert fmt.typeset(fmt.timing(row.time)) in tip.inner_text()
    tab.mouse.move(0, 0)


def test_the_theme_follows_the_system_until_it_is_chosen(opened: Open) -> None:
    colors = set()
    for scheme in ("light", "dark"):
        tab = opened("awkward", color_scheme=scheme).page
        button = tab.locator("#theme")
        before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        names = ["Dark theme", "Light theme"] if scheme == "light" else ["Light theme", "Dark theme"]
        assert button.inner_text() == names[0]
        button.click()
        assert button.inner_text() == names[1]
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != before
        colors.add(before)
    assert len(colors) == 2


@pytest.mark.parametrize("name", PAGES)
def test_a_narrow_screen_needs_no_sideways_scrolling(name: str, drawn: Drawn) -> None:
    tab = drawn(name, 390).page
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert (
        tab.evaluate("Math.max(...[...document.querySelectorAll('.plot svg')].map(e => e.clientWidth))")
        <= 390
    )


@pytest.mark.parametrize("name", ["reference", "awkward", "grid", "changes"])
def test_axe_finds_nothing_in_either_theme(name: str, drawn: Drawn) -> None:
    tab = drawn(name).page
    tables = (
        "details.figures" if name != "reference" else "details:first-of-type .figures"
    )  # quicker, and alike
    fold = "([name, open]) => document.querySelectorAll(name).forEach(each => { each.open = open })"
    tab.evaluate(fold, [tables, True])
    tab.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    try:
        for theme in ("light", "dark"):
            tab.emulate_media(color_scheme=theme)
            found = tab.evaluate("axe.run({resultTypes: ['violations']}).then(result => result.violations)")
            assert [(theme, each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    finally:  # as it was
        tab.emulate_media(color_scheme="light")
        tab.evaluate(fold, [tables, False])


def test_hostile_names_are_shown_and_not_run(drawn: Drawn) -> None:
    one = drawn("hostile")
    tab = one.page
    assert HOSTILE in column(tab, "lane")
    assert tab.locator("img").count() == 0
    tab.locator("[data-chart='0'] svg .mark-symbol path").first.hover()
    assert HOSTILE in tab.locator("#vg-tooltip-element.visible").inner_text()
    tab.mouse.move(0, 0)
    assert one.said == []


# --- addresses ------------------------------------------------------------------------------------


def state(tab: Page) -> list[str]:
    """What of the table is shown and how: it must be the same wherever its address is opened."""
    lanes = [f"{task} {lane}" for task, lane in zip(column(tab, "task"), column(tab, "lane"), strict=True)]
    return [*lanes, tab.locator("#rows").get_attribute("data-columns") or "", tab.input_value("[name=text]")]


def test_the_address_keeps_filters_and_order(opened: Open, pages: dict[str, Path]) -> None:
    one = opened("reference")
    tab = one.page
    plain, before = tab.evaluate("location.href"), state(tab)
    tab.select_option("[name=task]", "diabetes")
    tab.select_option("[name=columns]", "")
    tab.fill("[name=text]", "tuned & cpu ")
    tab.fill("[name=text]", "tuned")
    for _ in range(2):
        tab.locator('#rows th[data-name="time/step"] button').click()
    address = tab.evaluate("location.href")
    assert address.partition("#")[2] == "task=diabetes&columns=&text=tuned&sort=time%2Fstep&order=descending"
    other = opened("reference").page
    other.goto(address)
    other.reload()
    assert state(other) == state(tab)
    assert len(column(other, "lane")) == 4
    tab.locator("button[type=reset]").click()
    one.until(f"location.href == '{plain}'")
    assert state(tab) == before
    assert one.said == []


def test_an_address_of_nothing_does_no_harm(opened: Open) -> None:
    one = opened("reference")
    plain, rows = one.page.url, len(column(one.page, "lane"))
    for hash in ("task=nothing&sort=none&verdict=%3Cb%3E", "x", "%", "row", "sort=lane&order=up"):
        one.page.goto(f"{plain}#{hash}")
        one.page.reload()
        assert len(column(one.page, "lane")) == rows, hash
        assert one.said == [], hash


def test_an_address_within_the_open_page_changes_the_table(opened: Open) -> None:
    one = opened("reference")
    tab, record = one.page, reference().record
    lanes, rows = len(record.plan.lanes), len(record.plan.pairs)
    tab.evaluate("location.hash = 'task=wide'")
    one.until(f"document.getElementById('count').textContent == '{lanes} of {rows} rows'")
    tab.evaluate("location.hash = 'wide-time'")  # a chart's: it leaves the table as it is
    tab.wait_for_timeout(100)
    assert set(column(tab, "task")) == {"wide"}
    tab.evaluate("location.hash = 'lesson-jax-fused'")  # a row's that is not shown
    one.until(f"document.getElementById('count').textContent == '{rows} of {rows} rows'")


def test_a_row_and_a_chart_have_links_that_lead_to_them(opened: Open) -> None:
    one = opened("grid")
    tab = one.page
    tab.get_by_role("link", name="jax", exact=True).last.click()
    one.until("location.hash !== ''")
    page, _, anchor = tab.evaluate("location.href").partition("#")
    assert tab.locator(f"tr#{anchor}").evaluate("row => row.matches(':target')")
    tab.goto(f"{page}#b64-f32-time")  # in a folded part
    one.until("document.querySelector('#b64-f32-time [data-drawn]')")
    assert tab.locator("#b64-f32-time").is_visible()


# --- files ----------------------------------------------------------------------------------------


def test_the_rows_that_are_shown_are_saved_as_csv_in_their_order(opened: Open) -> None:
    one = opened("reference")
    tab = one.page
    tab.select_option("[name=task]", "lesson")
    tab.locator('#rows th[data-name="time/step"] button').click()
    with tab.expect_download() as download:
        tab.locator("#csv").click()
    saved = download.value.path().read_text(encoding="utf-8")
    lines = list(csv.DictReader(saved.splitlines()))
    assert [line["lane"] for line in lines] == column(tab, "lane")
    table = tables.as_csv(reference()).split("\n")
    assert saved.endswith("\n")
    assert set(saved.splitlines()) <= set(table)
    assert download.value.suggested_filename == "samestep.csv"
    assert (len(one.requests), one.said) == (1, [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_is_saved_as_a_picture_in_dark_ink_on_white(scheme: str, opened: Open) -> None:
    one = opened("reference", color_scheme=scheme)
    for kind in ("svg", "png"):
        with one.page.expect_download() as download:
            one.page.locator(f"#lesson-ratio [data-save={kind}]").click()
        assert download.value.suggested_filename == f"lesson-ratio.{kind}"
        content = download.value.path().read_bytes()
        if kind == "svg":
            svg = ElementTree.fromstring(content)
            width = float(svg.attrib["width"])
            text = content.decode()
            assert "currentColor" not in text
            assert "paint-order: stroke; stroke: white" in text  # labels interrupt lines there too
            assert "jax:fused" in text
            assert "time over the baseline" in text
        else:
            assert content.startswith(b"\x89PNG")
            assert int.from_bytes(content[16:20]) == pytest.approx(2 * width, abs=2)
    assert one.said == []
    assert not [url for url in one.requests if not url.startswith(("file:", "data:", "blob:"))]


def test_the_page_of_two_records_has_paper_and_files_too(opened: Open) -> None:
    one = opened("changes", height=100)
    tab = one.page
    with tab.expect_download() as download:
        tab.locator("#lesson-change [data-save=svg]").click()
    assert download.value.suggested_filename == "lesson-change.svg"
    assert tab.pdf(format="A4").startswith(b"%PDF")
    assert tab.evaluate("window.printed") == {"charts": 2, "folded": 0, "groups": []}
    assert one.said == []


# --- narrow screens -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reference", "awkward", "grid", "changes"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_text_of_a_chart_is_cut_off(name: str, width: int, drawn: Drawn) -> None:
    tab = drawn(name, width).page
    cut = tab.evaluate("""() => [...document.querySelectorAll('.plot svg text')].filter(text => {
      const [one, all] = [text.getBoundingClientRect(), text.closest('.plot').getBoundingClientRect()];
      return one.width && (one.left < all.left - 1 || one.right > all.right + 1);
    }).map(text => `${text.closest('figure').id}: ${text.textContent}`)""")
    assert cut == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_label_interrupts_the_lines_behind_it(scheme: str, opened: Open) -> None:
    one = opened("reference", width=390, color_scheme=scheme)
    tab = one.page
    tab.locator("#lesson-ratio").scroll_into_view_if_needed()
    one.until("document.querySelector('#lesson-ratio [data-drawn]')")
    around = tab.evaluate("""() => [...document.querySelectorAll('#lesson-ratio .role-mark.mark-text text')]
      .map(text => [getComputedStyle(text).paintOrder.split(' ')[0], getComputedStyle(text).stroke])""")
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert len(around) > 4
    assert {tuple(one) for one in around} == {("stroke", paper)}


def test_the_lane_stays_in_view_however_far_a_narrow_table_is_scrolled(opened: Open) -> None:
    tab = opened("reference", width=390).page
    for region in (tab.locator("#table ~ .scroll"), tab.locator("#lesson-training .scroll")):
        region.evaluate("each => { each.scrollLeft = 9999 }")
        left = region.evaluate("each => each.getBoundingClientRect().left")
        box = region.locator("tbody th[scope=row]").first.bounding_box()
        assert box
        assert box["x"] == pytest.approx(left, abs=1)
    tab.select_option("[name=columns]", "")
    header = tab.locator('#rows thead th[data-name="lane"]').bounding_box()
    assert header
    assert 0 <= header["x"] < 30


def test_nothing_moves_for_whom_asked_for_less_motion(opened: Open) -> None:
    tab = opened("awkward", reduced_motion="reduce").page
    assert tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert tab.evaluate("document.getAnimations().length") == 0


def test_regions_that_scroll_can_be_focused(opened: Open) -> None:
    one = opened("reference", width=390)
    tab = one.page
    region = tab.locator("#table ~ .scroll")
    region.focus()
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    one.until("document.querySelector('#table ~ .scroll').scrollLeft > 0")
