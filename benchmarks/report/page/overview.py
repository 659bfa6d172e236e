"""What was found, and under which conditions: two sentences. No overall winner is ever named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...analysis.crossover import Crossover
from ...analysis.summary import Row
from ...analysis.verdicts import VerdictWord as Word
from ...record import Record
from .. import formatting as fmt
from ..glossary import listed, shown

ORDER: tuple[Word, ...] = ("FASTER", "SLOWER", "EQUIVALENT", "UNDECIDED", "UNSTABLE", "INVALID", "FAILED")
TIERS = {"documented": "as documented", "tuned": "tuned", "fused": "fused", None: "not started"}


def found(record: Record, rows: Sequence[Row], baseline: str | None = None) -> str:
    """The verdicts counted within each tier, documented first, and how far the ratios reach."""
    chosen = baseline or record.plan.baseline
    compared = [row for row in rows if row.lane != chosen]
    if not compared:
        return f"Only {chosen} was measured, so that nothing was compared."
    tiers = {name: [row for row in compared if row.tier == tier] for tier, name in TIERS.items()}
    first, *others = [(name, own) for name, own in tiers.items() if own]
    said = [_counted(*first, f" comparisons with {chosen} on {_tasks(record)}", " its time per step")]
    text = "; ".join([*said, *(_counted(*other) for other in others)])
    return f"{text[0].upper()}{text[1:]}."


def over_sizes(grid: Crossover, record: Record) -> str:
    """Which lanes are fastest alone at how many sizes of a grid, and at how many none is."""
    cells = [cell for row in grid.cells for cell in row]
    alone = Counter(cell.fastest for cell in cells if cell.fastest and not cell.tied)
    tied, unknown = sum(bool(cell.tied) for cell in cells), sum(cell.fastest is None for cell in cells)
    counts = [
        f"{lane}{'' if index else ' is fastest alone'} at {count}"
        for index, (lane, count) in enumerate(alone.most_common())
    ]
    counts += [f"two or more are tied at {tied}"] if tied else []
    counts += [f"nothing can be said at {unknown}"] if unknown else []
    ends = (f"{grid.batches[end]:,} x {grid.features[end]:,}" for end in (0, -1))
    missing = list(record.plan.missing)
    absent = f" ({listed(missing)} did not)" if missing else ""
    sizes = f"at {len(cells)} sizes of a batch, {' to '.join(ends)} values"
    return f"Of the {len(record.plan.lanes)} lanes that raced{absent}, {sizes}, {listed(counts)}."


def _counted(name: str, rows: Sequence[Row], what: str = "", unit: str = "") -> str:
    """One tier: how often each verdict, and the ends of its ratios."""
    words = Counter(row.verdict.word for row in rows)
    (first, count), *others = [(word, words[word]) for word in ORDER if words[word]]
    verb = "is" if count == 1 else "are"
    counts = [f"{count} of {len(rows)}{what} {verb} {shown(first)}", *(f"{n} {shown(w)}" for w, n in others)]
    ratios = sorted((r for row in rows if (r := row.verdict.ratio)), key=lambda ratio: ratio.value)
    ends = list(dict.fromkeys(fmt.between(r).partition(" ")[0] for r in (*ratios[:1], *ratios[-1:])))
    return f"{name}, {listed(counts)}" + (f", at {' to '.join(ends)} times{unit}" if ends else "")


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


def _tasks(record: Record) -> str:
    names = list(record.tasks)
    return listed(names) if len(names) <= 4 else f"{len(names)} tasks"
