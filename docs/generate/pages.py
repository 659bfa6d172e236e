"""What is generated in docs/: table.md, faq.md, sizes.md and lanes.md: `python -m docs.generate`.

Figures and shown files come from the committed reference result and sweep, from the code's own constants and
from the files themselves. The tests check that the pages are what this would write.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from docs.generate.fill import filled
from docs.generate.fill import rows as table_of
from docs.generate.readme import REFERENCE, ROOT
from samestep.benchmarks.analysis import gates
from samestep.benchmarks.analysis.crossover import crossover, fits
from samestep.benchmarks.analysis.summary import BUSY, Row, summarize
from samestep.benchmarks.analysis.tier_rank import standings
from samestep.benchmarks.measure.efforts import EFFORTS
from samestep.benchmarks.measure.task_files import RUN_STEPS
from samestep.benchmarks.record import WHOLE, Record
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import formatting as fmt
from samestep.benchmarks.report import sweep_tables as sweep
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.page import overview
from samestep.benchmarks.statistics import inference

DOCS, SWEEP = ROOT / "docs", ROOT / "results" / "sweep"
SHOWN = ("examples/packed/samestep_packed.py", "examples/packed/pyproject.toml")
ALOUD = "jax:tuned"  # the row that is read aloud: it has every figure
LANGUAGES = {".py": "python", ".toml": "toml"}


def sections() -> dict[str, dict[str, str]]:
    """The generated text of every page, by the name of its markers."""
    record = load(REFERENCE)
    rows = summarize(record)
    marks = standings(record, rows)
    first, second = record.tasks[:2]
    return {
        "table.md": {
            "heading": f"> {tables.heading(record, record.plan.works[0])}",
            "speed": tables.markdown_rows(tables.speed(of(rows, first), marks)).rstrip(),
            "aloud": "\n".join(f"- {line}" for line in aloud(record, rows)),
            "cost": tables.markdown_rows(tables.cost(of(rows, first))).rstrip(),
            "accuracy": tables.markdown_rows(tables.accuracy(of(rows, second))).rstrip(),
            "limits": limits(),
            "efforts": efforts(),
            "tiers": tiers(rows),
            "winners": winners(record, rows),
            "scope": "\n".join(f"> {line}" for line in tables.scope(record, None, rows, marks)),
        },
        "faq.md": {"calls": calls(record), "sizes": sizes(record, rows), "time": time_taken(record)},
        "sizes.md": over_sizes(load(SWEEP)),
        "lanes.md": {name: shown(name) for name in SHOWN},
    }


def of(rows: Iterable[Row], task: str) -> list[Row]:
    return [row for row in rows if row.task == task]


def aloud(record: Record, rows: Sequence[Row]) -> Iterator[str]:
    """One row in sentences."""
    row = next(row for row in rows if row.lane == ALOUD)
    time, ratio, even = row.time, row.verdict.ratio, row.break_even
    base = record.plan.baseline
    samples = fmt.count(row.samples_per_second, fmt.width(row.samples_per_second, time))
    above = fmt.times(row.above_floor, fmt.width(row.above_floor, time))
    assert time
    assert ratio
    assert even
    measured = fmt.between(ratio)
    yield f"**time/step** {fmt.timing(time)}: between {fmt.duration(time.low)} and {fmt.duration(time.high)}."
    yield (
        f"**time/baseline** {measured}: it takes {measured.partition(' ')[0]} times as long as `{base}`, so it "
        f"is {1 / ratio.value:.3g} times as fast."
    )
    yield f"**verdict** {row.verdict.word}: that ratio lies surely beyond the margin."
    yield f"**samples/s** {samples}: rows of data for each second."
    yield f"**over floor** {above}: the floor of this machine is {fmt.duration(row.floor)}."
    yield f"**first call** {fmt.duration(row.first_call_s)}: a fresh process traces, compiles and runs it once."
    yield (
        f"**break-even** {fmt.steps(even.steps)}: after so many steps it has earned that first call back; "
        f"who trains less is done sooner with `{base}`."
    )


def limits() -> str:
    """The constants that a verdict depends on, as the code has them."""
    margin, twin = math.expm1(inference.MARGIN), math.expm1(gates.TWIN)
    share, least = gates.RESYNC
    body = [
        ("margin", f"{margin:.0%}", "a smaller difference counts as none"),
        ("level", f"{inference.ALPHA:.0%}", "of a test, over all comparisons of the record together (Holm)"),
        ("power", f"{inference.POWER:.0%}", "at which an undecided row says what would have been seen"),
        (
            "twin",
            f"{twin:.0%}, {gates.TWIN_LEVEL:.0%}",
            "the twin's interval of this level may not lie wholly beyond",
        ),
        ("steal", f"{gates.STEAL:.0%}", "of the time, taken away by the host"),
        (
            "threads",
            f"{gates.CPU_PER_WALL:.2f}",
            "CPU seconds for each second, at most, with `--threads one`",
        ),
        ("sync", f"{share:.0%} or {least / 1000:.0f} us", "of work left when the clock stopped, the larger"),
        (
            "memory",
            f"{gates.UNSEEN:.1f}x",
            "as long as the timed work for work that was never seen before, at most",
        ),
        ("busy", f"{BUSY:.0%}", "of a core: a lane that had less says so below the table"),
        ("run", f"{RUN_STEPS}", "steps of the first epoch, at most, are what is timed"),
    ]
    return table_of(("name", "value", "what"), body)


def efforts() -> str:
    body = [
        (f"`{e.name}`", str(e.blocks), f"{e.rounds[0]} to {e.rounds[1]}", f"{e.slice_ms:g} ms", str(e.cold))
        for e in EFFORTS.values()
    ]
    return table_of(("effort", "blocks", "rounds in a block", "a slice, at least", "cold first calls"), body)


def tiers(rows: Sequence[Row]) -> str:
    """The lanes of each tier, as they described themselves in the reference result."""
    what = {
        "documented": "as the framework's own guide, or the book, writes it",
        "tuned": "the best known form of one step",
        "fused": "many steps in one compiled call",
    }
    body = []
    for tier, words in what.items():
        lanes = dict.fromkeys(f"`{row.lane}`" for row in rows if row.tier == tier)
        body.append((tier, words, ", ".join(lanes)))
    return table_of(("tier", "what", "lanes"), body)


def winners(record: Record, rows: Sequence[Row]) -> str:
    """The lanes of each tier by time per step, the least first, on every task."""
    body = []
    for task in record.tasks:
        timed = sorted((row.time.value, row) for row in of(rows, task) if row.time)
        order = [
            [f"`{r.lane}`" for _, r in timed if r.tier == tier] for tier in ("documented", "tuned", "fused")
        ]
        body.append((task, *(", ".join(lanes) for lanes in order)))
    return table_of(("task", "documented", "tuned", "fused"), body)


def calls(record: Record) -> str:
    """Each framework's cheapest call."""
    found = sorted(record.dispatches, key=lambda each: each.seconds)
    body = [(f"`{each.call}`", fmt.duration(each.seconds)) for each in found]
    return table_of(("call on one number", "takes"), body)


def sizes(record: Record, rows: Sequence[Row]) -> str:
    """Time per step of some lanes on the smallest and on the largest task."""
    lanes = ("numpy", "torch", "jax", "numpy:tuned", "torch:tuned", "jax:tuned", "torch:fused", "jax:fused")
    found = {(row.task, row.lane): fmt.duration(row.time.value) for row in rows if row.time}
    works = sorted(record.plan.works, key=lambda work: work.flops_per_step)
    ends = [work.task.name for work in (works[0], works[-1])]
    body = [(f"`{lane}`", *(found.get((task, lane), "") for task in ends)) for lane in lanes]
    return table_of(("lane", *(f"{task}, a step" for task in ends)), body)


def time_taken(record: Record) -> str:
    """How long the reference result took, from its plan to its end."""
    document = json.loads((REFERENCE / WHOLE).read_bytes())
    begun, ended = (datetime.fromisoformat(when) for when in (record.plan.created, document["datetime"]))
    tasks, lanes, plan = len(record.plan.works), len(record.plan.lanes), record.plan
    return (
        f"The reference result ({tasks} tasks by {lanes} lanes at effort {plan.effort.name}) took "
        f"{(ended - begun).total_seconds() / 60:.0f} minutes on its {plan.environment.allowed_cpus} CPUs."
    )


def over_sizes(record: Record) -> dict[str, str]:
    """The map of a sweep with its ties, the times of the fastest lanes, and what a step costs each lane."""
    grid, fitted = crossover(record), sweep.lines(fits(record))
    assert grid
    fastest = sweep.fastest(grid)
    ties = [f"- {note}" for note in fastest.notes if note != sweep.MAP_NOTE]
    wrong = [f"- {note}" for note in fitted.notes if note != sweep.LINE_NOTE]
    return {
        "found": f"**{overview.over_sizes(grid, record)}**",
        "map": "\n".join([tables.markdown_rows(fastest), *ties]),
        "times": tables.markdown_rows(sweep.times(grid)).rstrip(),
        "cost": "\n".join([tables.markdown_rows(fitted), *wrong]),
        "scope": "\n".join(f"> {line}" for line in sweep.scope(record)),
    }


def shown(name: str) -> str:
    """A file of the repository in a fenced block."""
    path = ROOT / name
    return f"```{LANGUAGES[path.suffix]}\n{path.read_text(encoding='utf-8')}```"


def updated(page: str, text: str) -> str:
    """A page's text with everything generated between its markers."""
    return filled(text, sections()[page])
