"""Tables hold what the record says."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from samestep.backends.spec import File
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.datasets.split import Transform
from samestep.benchmarks.record import AnyRecord, Certified, PhaseBreakdown
from samestep.benchmarks.record.files import load
from samestep.benchmarks.record.plan import Facts
from samestep.benchmarks.record.proof import WorstRatio
from samestep.benchmarks.report import certificate_tables as certificates
from samestep.benchmarks.report import formatting as figures
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.columns import ACCURACY, COLUMNS, COST, SPEED
from samestep.benchmarks.report.text_table import TextTable, escaped_line, markdown_rows, paragraph
from tests.helpers.page_records import awkward
from tests.helpers.paths import DATA
from tests.helpers.records import record as made_up


def test_the_tables_hold_the_summary(smoke: tuple[Path, object]) -> None:
    analysis = RecordAnalysis(load(smoke[0]))
    rows = analysis.rows
    speed, cost, accuracy = tables.task_tables(analysis, analysis.tasks[0])
    assert [row[0] for row in speed.rows] == ["numpy", "numpy:tuned"]
    for shown, row in zip(speed.rows, rows, strict=True):
        assert shown[2] == figures.timing(row.time)
        assert shown[3] == figures.between(row.verdict.ratio)
    assert speed.rows[0][4] == "baseline"
    assert all(row[1] == "proven" for row in accuracy.rows)
    assert all(row[2] for row in cost.rows)


def tiers() -> AnyRecord:
    """Four documented lanes: a leads, b is level with it; the others are not."""
    wobble = [1.0, 1.003, 0.998, 1.001, 0.999, 1.002]
    level = [0.502 * w for w in reversed(wobble)]
    return made_up({"a": [0.5 * w for w in wobble], "b": level, "c": [0.9] * 6})


@pytest.mark.parametrize("format", ["rich", "markdown", "html"])
def test_who_leads_a_tier_is_marked_in_every_format(format: str) -> None:
    made = RecordAnalysis(tiers())
    times = {row.lane: figures.timing(row.time) for row in made.rows}
    text = tables.render(made, format)
    for lane, sign in (("a", " ◆"), ("b", " ◇")):
        time = figures.typeset(times[lane]) if format == "html" else times[lane]
        assert time + sign in text
    assert text.count("◆") == text.count("◇") == 2  # with the key, or the words that can be explained
    key = "samestep explain WORD" if format == "rich" else "the least time of its tier"
    assert key in " ".join(text.split())
    assert "◆" not in tables.render(
        RecordAnalysis(made_up({"torch": [1.0, 1.0]})), format
    )  # alone in its tier


def test_every_word_of_a_verdict_that_occurs_is_explained_and_no_other() -> None:
    said = next(line for line in tables.scope(RecordAnalysis(awkward())) if "INVALID: " in line)
    for word in ("FASTER", "equivalent", "undecided", "UNSTABLE", "INVALID", "FAILED"):
        assert re.search(rf"\b{word}: ", said), word
    assert "SLOWER" not in said
    assert not any("INVALID" in line for line in tables.scope(RecordAnalysis(tiers())))


def test_a_lane_without_proof_has_a_reason_and_no_time(smoke: tuple[Path, object]) -> None:
    """The record of a failed certificate: no figure of its speed is in any format."""
    record = load(smoke[0])
    changed = [
        c.model_copy(
            update={
                "certificate": c.certificate.model_copy(update={"status": "fail", "reason": "step 3: bias"})
            }
        )
        if c.lane == "numpy:tuned"
        else c
        for c in record.certified
    ]
    record = record.model_copy(update={"certified": tuple(changed)})
    analysis = RecordAnalysis(record)
    text = tables.render(analysis, "rich")
    line = next(line for line in text.splitlines() if line.strip().startswith("numpy:tuned"))
    assert "INVALID" in line
    assert " us" not in line
    assert "step 3: bias" in text
    assert "NOT PROVEN" in text
    assert "step 3: bias" in tables.render(analysis, "markdown")


def wrong(each: Certified, share: float) -> Certified:
    """The certificate with its worst step at a share of the bound."""
    last = each.certificate.evidence[-1]
    quantities = {name: with_share(worst, share) for name, worst in last.judgement.quantities.items()}
    judgement = last.judgement.model_copy(update={"quantities": quantities})
    evidence = (last.model_copy(update={"judgement": judgement}),)
    changes = {"evidence": evidence, "status": "fail"}
    return each.model_copy(update={"certificate": each.certificate.model_copy(update=changes)})


def with_share(worst: WorstRatio, share: float) -> WorstRatio:
    return worst.model_copy(update={"share": share, "slack": 1 / share})


def test_a_failed_proof_has_no_slack(smoke: tuple[Path, object]) -> None:
    sound, other = load(smoke[0]).certified
    shown = certificates.parity([sound, wrong(other, 2e14)], {}, unsupported={}).splitlines()
    proven, failed = (next(line for line in shown if status in line) for status in ("PASS", "FAIL"))
    assert re.search(r"\d%.* [\d.]+x", proven)
    assert ">1000%" in failed
    assert not re.search(r"[\d.]x", failed)


def test_a_column_without_any_figure_is_left_out(smoke: tuple[Path, object]) -> None:
    record: AnyRecord = load(smoke[0])

    def without(number: int) -> AnyRecord:
        """The record whose first lanes have no error in own units."""
        certified = list(record.certified)
        for index, proof in enumerate(certified[:number]):
            assert proof.accuracy
            accuracy = proof.accuracy.model_copy(update={"rmse_original_units": None})
            certified[index] = proof.model_copy(update={"accuracy": accuracy})
        return record.model_copy(update={"certified": tuple(certified)})

    for number, last in ((0, "rmse, own units"), (1, "rmse, own units"), (2, "held-out R²")):
        analysis = RecordAnalysis(without(number))
        table = tables.accuracy_table(analysis.of_task(analysis.tasks[0]))
        assert table.columns[-1] == last
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_every_csv_column_is_the_figure_of_its_name(smoke: tuple[Path, object]) -> None:
    record: AnyRecord = load(smoke[0])
    read = list(csv.DictReader(io.StringIO(tables.as_csv(RecordAnalysis(record)))))
    for line, row in zip(read, RecordAnalysis(record).rows, strict=True):
        assert row.time is not None
        assert row.accuracy is not None
        assert (line["task"], line["lane"], line["verdict"]) == (row.task, row.lane, row.verdict.word)
        ends = [line[f"seconds_per_step{end}"] for end in ("", "_low", "_high")]
        assert ends == [str(row.time.value), "", ""]  # of two blocks there is no interval
        assert float(line["loss"]) == row.accuracy.loss
        assert float(line["parameter_error"]) == row.accuracy.parameter_error
        assert float(line["peak_memory_bytes"]) == row.peak_memory
        assert line["held_out_accuracy"] == ""
        assert (line["baseline"], line["exploratory"], line["proof"]) == ("numpy", "False", "pass")
        assert (line["dtype"], line["threads"], line["device"]) == ("float32", "one", "cpu")


def test_the_ends_of_an_interval_have_columns_of_their_own_in_csv() -> None:
    analysis = RecordAnalysis(tiers())
    for line, row in zip(csv.DictReader(io.StringIO(tables.as_csv(analysis))), analysis.rows, strict=True):
        for name, span in (("seconds_per_step", row.time), ("ratio", row.verdict.ratio)):
            ends = [span.value, span.low, span.high] if span else [""] * 3
            assert [line[f"{name}{end}"] for end in ("", "_low", "_high")] == [*map(str, ends)]


def test_a_terminal_has_three_lines_below_its_tables() -> None:
    """Where nothing is particular: no variable that holds a library back, no lane that is missing."""
    made = RecordAnalysis(tiers())
    closing = tables.record_document(made).brief
    assert closing is not None
    general = [line for line in closing if not line.startswith("Set in the environment")]
    lines = "\n".join(paragraph(line, 100) for line in general).splitlines()
    assert len(lines) <= 3
    assert len(tables.scope(made)) > len(closing)


def test_a_smoke_run_shows_medians_and_says_why(smoke: tuple[Path, object]) -> None:
    """Two blocks: no ±83022% and no ratio of 0 [0, 3]."""
    text = tables.render(RecordAnalysis(load(smoke[0])), "rich")
    assert "±?" in text
    assert "[too few blocks]" in text
    assert "Baseline numpy; medians over 2 blocks" in " ".join(text.split())
    assert "An interval needs four blocks" in text
    assert not re.search(r"±\d|\binf\b|% intervals", text)


def test_a_phase_that_was_lost_in_noise_is_no_negative_time() -> None:
    phases = {"row gathering": 2e-6, "forward and backward": -59.9e-6, "update": 0.0, "Python": 1e-6}
    breakdown = PhaseBreakdown(task="lesson", lane="a", run_s=1e-5, transfer_s=1e-4, reason="", phases=phases)
    table = tables.phases(RecordAnalysis(tiers().model_copy(update={"ledgers": (breakdown,)})), "lesson")
    assert table
    assert table.rows[0][1:5] == ("2.00 us", "not seen", "not seen", "1.00 us")
    assert table.notes[0].startswith("a: forward and backward not seen: it came out 59.9 us below 0")
    assert not [cell for cell in table.rows[0] if "-" in cell]


def test_csv_says_why_there_is_no_figure_and_who_leads() -> None:
    lines = {
        line["lane"]: line for line in csv.DictReader(io.StringIO(tables.as_csv(RecordAnalysis(awkward()))))
    }
    assert "hung" in lines["torch:fused"]["reason"]
    assert lines["jax"]["break_even_reason"] == "perhaps never: the interval of the ratio reaches 1"
    read = list(csv.DictReader(io.StringIO(tables.as_csv(RecordAnalysis(tiers(), "a")))))
    assert {line["lane"]: line["in_tier"] for line in read} == {
        "torch": "",
        "a": "fastest",
        "b": "level",
        "c": "",
    }
    assert {(line["baseline"], line["exploratory"]) for line in read} == {("a", "True")}


def test_a_row_without_a_finished_block_says_so_in_csv() -> None:
    made = tiers()
    blocks = [
        b.model_copy(update={"slices": tuple(p for p in b.slices if p.lane != "b")}) for b in made.blocks
    ]
    analysis = RecordAnalysis(made.model_copy(update={"blocks": tuple(blocks)}))
    lines = {line["lane"]: line for line in csv.DictReader(io.StringIO(tables.as_csv(analysis)))}
    assert analysis["lesson", "b"].row.blank == lines["b"]["reason"] != ""


def test_every_column_that_is_shown_is_a_column_of_a_known_name_and_heading() -> None:
    for name in (*SPEED, *COST, *ACCURACY):
        assert COLUMNS[name].heading
    headings = [column.heading for column in COLUMNS.values() if column.heading]
    assert len(set(headings)) == len(headings)
    names = [name for column in COLUMNS.values() for name in column.csv_names()]
    assert len(set(names)) == len(names) == 43


def test_names_in_markdown_are_data(smoke: tuple[Path, object]) -> None:
    record = load(smoke[0])
    work = record.plan.works[0]
    task = work.task.model_copy(update={"name": "<script>|x|"})
    table = TextTable("T", ("lane",), [(task.name,)])
    assert markdown_rows(table).splitlines()[2] == "| &lt;script&gt;\\|x\\| |"


# --- names are data -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-1+cmd", "@SUM(A1)", " =1+1", "-", "＝1+1", "+3%x"]
)
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str) -> None:
    assert tables.spreadsheet_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-0.5", "+3%", "-1e-07", "-1,234.5", "", "numpy", "1+1", "a=b"])
def test_a_number_stays_as_it_is_in_csv(text: str) -> None:
    assert tables.spreadsheet_cell(text) == text


def test_a_tab_or_a_line_end_is_text_in_csv() -> None:
    assert tables.spreadsheet_cell("\t=1+1") == r"\t=1+1"
    assert tables.spreadsheet_cell("\r=1+1") == r"\r=1+1"


def test_every_text_of_a_csv_line_is_made_harmless() -> None:
    text = tables.as_csv(RecordAnalysis(load(DATA / "hostile" / "formula-lane.json")))
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert '\'=HYPERLINK("x")' in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# x", r"\# x"),
        ("- x", r"\- x"),
        ("1. x", r"1\. x"),
        ("===", r"\==="),
        ("-0.5 x", "-0.5 x"),
        ("1.5x", "1.5x"),
        ("a&lt;b <i> ~~x~~ $y$", r"a&amp;lt;b &lt;i&gt; \~\~x\~\~ \$y\$"),
        ("[x](javascript:alert(1)) `y`", r"\[x\](javascript:alert(1)) \`y\`"),
    ],
)
def test_a_line_of_markdown_is_shown_as_text(text: str, shown: str) -> None:
    assert escaped_line(text) == shown


@pytest.mark.parametrize(("count", "said"), [(1, "1 column: g0;"), (40, "40 columns: g0, g1, ")])
def test_the_line_of_facts_names_the_features_of_a_file(count: int, said: str) -> None:
    work = made_up({"torch": [1.0] * 4}).plan.works[0]
    names, transform = tuple(f"g{index}" for index in range(count)), Transform.identity(count)
    facts = Facts(
        source="genes.csv",
        columns=names,
        target="y",
        transform=transform,
        dropped=names,
        skipped_rows=2,
        rank=1,
    )
    dataset = File(path="genes.csv", target="y")
    task = work.task.model_copy(update={"dataset": dataset})
    (line,) = tables.data_facts(work.model_copy(update={"task": task, "facts": facts}))
    assert line.startswith(f"genes.csv; y from {said}")
    assert line.endswith("2 rows with gaps dropped.")
    assert line.count("and 28 more") == (2 if count == 40 else 0)  # the features, and the constant columns
