"""What was found, and under which conditions: two sentences. No overall winner is ever named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.measure.summary import Row
from benchmarks.measure.verdict import Word
from benchmarks.record import Record

ORDER: tuple[Word, ...] = ("FASTER", "SLOWER", "EQUIVALENT", "UNDECIDED", "UNSTABLE", "INVALID", "FAILED")


def found(record: Record, rows: Sequence[Row]) -> str:
    """The verdicts counted, and how far the ratios reach."""
    compared = [row for row in rows if row.lane != record.plan.baseline]
    if not compared:
        return f"Only {record.plan.baseline} was measured, so that nothing was compared."
    words = Counter(row.verdict.word for row in compared)
    counts = [f"{words[word]} {_shown(word)}" for word in ORDER if words[word]]
    counts[0] = counts[0].replace(" ", " is " if counts[0].startswith("1 ") else " are ", 1)
    reach = [row.verdict.ratio.value for row in compared if row.verdict.ratio]
    ends = f", at {min(reach):.3g} to {max(reach):.3g} times its time per step" if reach else ""
    share = "1 comparison" if len(compared) == 1 else f"{len(compared)} comparisons"
    return f"Of {share} with {record.plan.baseline} on {_tasks(record)}, {listed(counts)}{ends}."


def conditions(record: Record) -> str:
    """What this holds for, and no further."""
    plan, machine = record.plan, record.plan.environment
    dtypes = listed(sorted({work.task.dtype for work in plan.works}))
    threads = "on one core each" if plan.threads == "one" else "with each framework's own threads"
    blocks = f"{len(record.blocks)} block{'' if len(record.blocks) == 1 else 's'}"
    return (
        f"That holds for {dtypes} on {plan.device}, {threads}, over {blocks} of fresh processes on this host "
        f"({machine.cpu}, {machine.cores or machine.logical_cpus} cores), this boot and these caches."
    )


def facts(record: Record, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What stands behind the sentences, as numbers with their names."""
    proven = sum(row.proof == "pass" for row in rows)
    slices = sum(piece.kind == "race" for block in record.blocks for piece in block.slices)
    return [
        (f"{proven} of {len(rows)}", "certificates passed: lanes proven to do the same work, step by step"),
        (f"{slices:,}", "timed slices, each checked for the proven parameters after its clock stopped"),
        (f"{len(record.blocks)}", f"blocks of fresh processes, effort {record.plan.effort.name}"),
        ("2%", "margin: what a ratio must surely exceed to count as a difference"),
    ]


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _tasks(record: Record) -> str:
    names = list(record.tasks)
    return listed(names) if len(names) <= 4 else f"{len(names)} tasks"


def _shown(word: str) -> str:
    return word.lower() if word in ("EQUIVALENT", "UNDECIDED") else word
