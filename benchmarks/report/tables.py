"""Tables from a record: what was proven, how fast it was, what it cost. Pure, and without any framework.

Each task gets three narrow tables instead of one wide one, so that all of it is readable at 100 columns.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from ..analysis import RecordAnalysis, Row
from ..analysis.summary import summarize
from ..analysis.tier_rank import TierRanks as Marks
from ..console.errors import InputError
from ..console.escapes import visible
from ..measure.accelerator import throttled
from ..measure.phases import PHASES
from ..record import Record
from ..record.plan import PlannedWork
from . import formatting as fmt
from . import html
from .csv_columns import as_csv
from .glossary import KEY, SIGNS, explained, shown

FORMATS = ("rich", "markdown", "csv", "html")
WORDS = (
    "lane",
    "tier",
    "how",
    "verdict",
    "parity",
    "status",
    "task",
    "tensor",
    "word",
    "what",
    "in A",
    "in B",
)  # flush left


@dataclass
class Table:
    """A title, the columns' names, rows of text, and notes below."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str] = field(default_factory=list)


def render(record: Record, format: str, *, baseline: str | None = None) -> str:
    """The tables of a record in one of FORMATS.

    Raises:
        InputError: an unknown format, or a baseline that is not a lane of the record.
    """
    makers = {"rich": plain, "markdown": markdown, "csv": as_csv, "html": as_html}
    if format not in makers:
        raise InputError(f"unknown format {format!r}; choose from {', '.join(FORMATS)}")
    return makers[format](record, baseline=baseline)


def plain(record: Record, *, baseline: str | None = None, width: int = 100) -> str:
    """For a terminal, at most `width` columns."""
    rows = summarize(record, baseline=baseline)
    marks = RecordAnalysis(record, baseline).tier_ranks
    parts = [text for work in record.plan.works for text in _plain_task(record, work, rows, marks, width)]
    return "\n".join([*parts, *(_filled(line, width) for line in scope(record, baseline, rows, marks))])


def _filled(text: str, width: int, first: str = "", rest: str = "") -> str:
    return textwrap.fill(visible(text), width, initial_indent=first, subsequent_indent=rest)


def _plain_task(
    record: Record, work: PlannedWork, rows: Sequence[Row], marks: Marks, width: int
) -> list[str]:
    parts = [visible(heading(record, work)), *(_filled(line, width) for line in data_facts(work))]
    for table in task_tables(record, work, rows, marks):
        parts += ["", boxed(table, width), *notes(table, width)]
    return [*parts, "", ""]


def notes(table: Table, width: int) -> list[str]:
    return [_filled(note, width, "  ", "    ") for note in table.notes]


def boxed(table: Table, width: int) -> str:
    """One table as text."""
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0))
    for name in table.columns:
        grid.add_column(name, justify="left" if name in WORDS else "right", no_wrap=name == "lane")
    for row in table.rows:
        grid.add_row(*map(visible, row))
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, markup=False, emoji=False, highlight=False).print(grid)
    return "\n".join(
        line.rstrip() for line in [visible(table.title), *text.getvalue().strip("\n").splitlines()]
    )


def markdown(record: Record, *, baseline: str | None = None) -> str:
    """For GitHub. Everything from the record is escaped: names are data."""
    rows = summarize(record, baseline=baseline)
    marks, parts = RecordAnalysis(record, baseline).tier_ranks, list[str]()
    for work in record.plan.works:
        parts.append(f"### {_escape(heading(record, work))}\n")
        parts += [f"{_escape(line)}\n" for line in data_facts(work)]
        for table in task_tables(record, work, rows, marks):
            parts.append(f"**{_escape(table.title)}**\n")
            parts.append(markdown_rows(table))
            parts += [f"- {_escape(note)}" for note in table.notes] + ([""] if table.notes else [])
    return "\n".join([*parts, *(_escape(line) for line in scope(record, baseline, rows, marks))]) + "\n"


def markdown_rows(table: Table) -> str:
    rows = [table.columns, tuple("---" if name in WORDS else "---:" for name in table.columns), *table.rows]
    cells = [[cell if i == 1 else _escape(cell) for cell in row] for i, row in enumerate(rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells) + "\n"


def _escape(text: str) -> str:
    text = visible(text)
    for special in "\\|<>*_`[]":
        text = text.replace(special, {"<": "&lt;", ">": "&gt;"}.get(special, "\\" + special))
    return text


def as_html(record: Record, *, baseline: str | None = None, over_all: Sequence[Table] = ()) -> str:
    """A page of the tables alone; in each the lanes stand by tier. Everything from the record is escaped.

    `over_all` are tables of all tasks together, which come first.
    """
    rows = summarize(record, baseline=baseline)
    first: dict[str, object] = {"heading": "Over all sizes", "facts": [], "tables": over_all}
    sections = [first] if over_all else []
    marks, tiers = (
        RecordAnalysis(record, baseline).tier_ranks,
        {row.lane: row.tier or "not run" for row in rows},
    )
    for work in record.plan.works:
        own = [_grouped(table, tiers) for table in task_tables(record, work, rows, marks)]
        sections.append({"heading": heading(record, work), "facts": data_facts(work), "tables": own})
    known = scope(record, baseline, rows, marks)
    values = {"base": html.static("base.css"), "sections": sections, "scope": known}
    return html.fill("document.html.jinja", words=WORDS, **values).rstrip("\n")


def _grouped(table: Table, tiers: Mapping[str, str]) -> dict[str, object]:
    """The table with its rows by tier, in the tiers' first order; a row's first cell is its lane."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for row in table.rows:
        groups.setdefault(tiers[row[0]], []).append(row)
    return vars(table) | {"groups": list(groups.items())}


# --- what the tables hold -------------------------------------------------------------------------


def heading(record: Record, work: PlannedWork) -> str:
    """The work in one line."""
    task, plan = work.task, record.plan
    last = work.rows % task.batch_size
    partial = f", last batch {last}" if last else ""
    epochs = "1 epoch" if task.epochs == 1 else f"{task.epochs} epochs"
    return (
        f"{task.name}: {work.rows:,} x {work.features}, batch {task.batch_size}{partial}, {task.loss.name} "
        f"({task.loss.reduction}), {task.dtype}, {epochs}; {plan.device}, threads {plan.threads}"
    )


def data_facts(work: PlannedWork) -> list[str]:
    """Where the data come from and what was done to them, in a sentence or two."""
    facts = work.facts
    if facts is None:
        return []
    changed = any(scale != 1 for scale in (*facts.transform.feature_scale, facts.transform.target_scale))
    said = [f"{facts.source.rstrip('.')}", f"rank {facts.rank} of {work.features}"]
    said += ["standardised on the training rows"] if changed else []
    said += [f"constant columns dropped: {', '.join(facts.dropped)}"] if facts.dropped else []
    said += [f"{facts.skipped_rows:,} rows with gaps dropped"] if facts.skipped_rows else []
    return ["; ".join(said) + "."]


def task_tables(
    record: Record, work: PlannedWork, rows: Sequence[Row], marks: Marks | None = None
) -> list[Table]:
    """Speed, cost and accuracy of one task, and its phases where they were measured."""
    own, ledger = [row for row in rows if row.task == work.task.name], phases(record, work.task.name)
    return [speed(own, marks), cost(own), accuracy(own), *([ledger] if ledger else [])]


def speed(rows: Sequence[Row], marks: Marks | None = None) -> Table:
    """Time per step against the baseline, with the verdict; no time without a passed proof.

    `marks` stand behind the times of those that lead their tier.
    """
    names = ("lane", "tier", "time/step", "time/baseline", "verdict", "samples/s", "over floor")
    table = Table("SPEED", names, [])
    for row in rows:
        verdict, per_second, above = row.verdict, row.samples_per_second, row.above_floor
        mark = (marks or {}).get((row.task, row.lane))
        time = fmt.timing(row.time) + (f" {SIGNS[mark]}" if mark else "")
        samples = fmt.count(per_second, fmt.width(per_second, row.time))
        cells = time, fmt.between(verdict.ratio), shown(verdict.word), samples
        floors = fmt.times(above, fmt.width(above, row.time))
        table.rows.append((row.lane, row.tier or "", *cells, floors))
        if why := row.blank or verdict.reason:
            table.notes.append(f"{row.lane}: {verdict.word}: {why}")
        table.notes += [f"{row.lane}: {note}" for note in row.notes]
    return table


def cost(rows: Sequence[Row]) -> Table:
    """How a lane works, and what it costs before and beside its steps."""
    names = ("lane", "how", "first call", "break-even steps", "import", "CPU/wall", "memory")
    table = Table("COST", names, [])
    for row in rows:
        compiled = "" if row.compiled in ("", "no") else f", compiled {row.compiled}"
        how = f"{row.gradient}, {row.buffers}{compiled}" if row.gradient else ""
        even = row.break_even
        pays = "" if even is None else fmt.steps(even.steps) or even.reason.partition(":")[0]
        used = "" if row.cpu_per_wall is None else f"{row.cpu_per_wall:.2f}"
        own = fmt.duration(row.first_call_s), pays, fmt.duration(row.import_s)
        table.rows.append((row.lane, how, *own, used, fmt.memory(row.peak_memory)))
    return table


def accuracy(rows: Sequence[Row]) -> Table:
    """Where training ended, and the share of the allowed rounding that the worst step used."""
    found = next((row.accuracy for row in rows if row.accuracy), None)
    classes = found is not None and found.held_out_accuracy is not None
    score = "held-out accuracy" if classes else "held-out R²"
    names = ("lane", "parity", "bound used", "loss", "above exact", score, "rmse, own units")
    table = Table("ACCURACY", names, [])
    for row in rows:
        proof = "proven" if row.proof == "pass" else "NOT PROVEN" if row.proof == "fail" else row.proof
        cells: tuple[str, ...] = (proof, fmt.percent(row.parity_share))
        if got := row.accuracy:
            share = got.held_out_accuracy if classes else got.r_squared
            scored = "" if share is None else f"{share:.6f}"
            cells += (fmt.loss(got.loss), fmt.small(got.excess), scored, fmt.small(got.rmse_original_units))
        table.rows.append((row.lane, *cells, *[""] * (len(names) - 1 - len(cells))))
    if found and found.no_excess:
        table.notes.append(f"no exact solution to compare with: {found.no_excess}")
    return _without_empty_columns(table)


def _without_empty_columns(table: Table) -> Table:
    full = [index for index, cells in enumerate(zip(*table.rows, strict=True)) if any(cells)]
    columns, *rows = [tuple(row[index] for index in full) for row in (table.columns, *table.rows)]
    return Table(table.title, columns, rows, table.notes)


def scope(
    record: Record, baseline: str | None, rows: Sequence[Row] | None = None, marks: Marks | None = None
) -> list[str]:
    """What the tables hold for, and no further; the words and marks of the rows are explained."""
    plan, machine = record.plan, record.plan.environment
    chosen = baseline or plan.baseline
    rows = summarize(record, baseline=baseline) if rows is None else rows
    lines = [
        f"Baseline {chosen}. Ratios are time over the baseline's, 95% intervals over {len(record.blocks)} "
        "blocks of fresh processes, interleaved, with an identical twin in every race.",
        explained(row.verdict.word for row in rows),
        KEY if marks else "",
        f"Measured {fmt.moment(plan.created)} at effort {plan.effort.name} on {machine.cpu}, {machine.cores} "
        "cores. It holds for this host, this boot and these caches.",
    ]
    lines += [f"Not run here: {lane}: {reason}" for lane, reason in plan.missing.items()]
    slowed = ((block.index, throttled(block.gpus_before, block.gpus_after)) for block in record.blocks)
    lines += [f"Block {index}: {why}" for index, why in slowed if why]
    if chosen != plan.baseline:
        lines.insert(1, exploratory(record))
    return [line for line in lines if line]


def exploratory(record: Record) -> str:
    """What is said of figures against another baseline than the plan's."""
    return f"Exploratory: the baseline fixed before measuring was {record.plan.baseline}."


def phases(record: Record, task: str) -> Table | None:
    """Where the time of a step goes, for the lanes that were asked; None where none was."""
    ledgers = [ledger for ledger in record.ledgers if ledger.task == task]
    if not ledgers:
        return None
    table = Table("PHASES", ("lane", *PHASES, "sum", "sum/race", "all data to device"), [])
    for ledger in ledgers:
        raced = RecordAnalysis(record)[task, ledger.lane].time_per_step
        parts = [fmt.duration(ledger.phases.get(name)) for name in PHASES]
        share = f"{ledger.run_s / raced.value:.2f}" if raced else ""
        whole = fmt.duration(ledger.run_s), share, fmt.duration(ledger.transfer_s)
        table.rows.append((ledger.lane, *parts, *whole))
        if ledger.reason:
            table.notes.append(f"{ledger.lane}: no phases: {ledger.reason}")
    table.notes.append(
        "Seconds per step, as differences of loops that do more and more of it, measured apart from the race; "
        "sum/race: the same run here over its time in the race. Python: the loop itself."
    )
    return table
