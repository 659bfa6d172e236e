"""What comes from the committed reference result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from docs.generate.markdown import bullets, quoted, table
from samestep.benchmarks.analysis import RecordAnalysis, Row
from samestep.benchmarks.record import WHOLE, AnyRecord
from samestep.benchmarks.report import formatting as fmt
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.glossary import explained, listed
from samestep.benchmarks.report.page import overview
from samestep.benchmarks.report.page.chart_parts import by_time
from samestep.benchmarks.report.page.headline import marked
from samestep.benchmarks.report.text_table import markdown_rows

README = ("tier", "seconds_per_step", "ratio", "verdict", "parity_share")
EXAMPLE = "jax:tuned"  # the row that is told in sentences: it has every figure
TIERS = {
    "documented": "as the framework's own guide, or the book, writes it",
    "tuned": "the best known form of one step",
    "fused": "many steps for each call or each gather",
}
SOME_LANES = (
    *("numpy", "torch", "jax", "numpy:tuned", "torch:tuned", "jax:tuned"),
    *("numpy:fused", "torch:fused", "jax:fused", "numba"),
)


class Reference:
    """The texts that a record gives to README, table.md, page.md and faq.md."""

    def __init__(self, record: AnyRecord) -> None:
        self.record = record
        self.analysis = RecordAnalysis(record)
        self.rows, self.scope = self.analysis.rows, tables.scope(self.analysis)

    def of(self, task: str) -> list[Row]:
        return [row for row in self.rows if row.task == task]

    def by_time(self, task: str) -> list[Row]:
        """The rows of a task with times of which something may be claimed, the shortest first."""
        return [row for row in by_time(self.of(task)) if row.time and not row.is_unstable]

    def readme(self) -> str:
        """The speed of each lane on the first task and the bound that it used, and what that holds for."""
        work = self.record.plan.works[0]
        lanes = self.analysis.of_task(work.task.name)
        brief = tables.of_columns("", README, lanes)
        speed_notes = [note for note in tables.speed(lanes).notes if ":" in note.partition(" ")[0]]
        notes = [*bullets(speed_notes), ""] if speed_notes else []
        head = f"**{tables.heading(self.record, work)}**\n"
        holds = self.scope[0], *(line for line in self.scope[1:] if line.startswith("Measured "))
        return "\n".join([head, markdown_rows(brief), *notes, " ".join(holds)])

    def findings(self) -> str:
        """The sentences of the page's first screen."""
        texts = [fmt.typeset(one.text) for one in overview.findings(self.analysis)]
        return "\n>\n".join(quoted([text]) for text in (*texts, overview.conditions(self.record)))

    def tables(self) -> dict[str, str]:
        """The parts of table.md."""
        first, second = self.record.tasks[:2]
        return {
            "heading": f"> {tables.heading(self.record, self.record.plan.works[0])}",
            "speed": markdown_rows(tables.speed(self.analysis.of_task(first))).rstrip(),
            "sentences": "\n".join(bullets(self.sentences())),
            "cost": markdown_rows(tables.cost(self.analysis.of_task(first))).rstrip(),
            "accuracy": markdown_rows(tables.accuracy_table(self.analysis.of_task(second))).rstrip(),
            "tiers": self.tiers(),
            "winners": self.fastest(),
            "order": self.order(),
            "scope": quoted(self.scope),
        }

    def sentences(self) -> Iterator[str]:
        """One row in sentences."""
        row = next(row for row in self.rows if row.lane == EXAMPLE)
        time, ratio, even = row.time, row.ratio, row.break_even
        base = self.record.plan.baseline
        assert time and ratio and even  # noqa: PT018
        samples = fmt.count(row.samples_per_second, fmt.width(row.samples_per_second, time))
        fastest, above = (fmt.times(n, fmt.width(n, time)) for n in (row.over_fastest, row.above_floor))
        measured = fmt.between(ratio)
        factor = fmt.ratio_parts(ratio).value
        yield f"**time/step** {fmt.timing(time)}: between {fmt.duration(time.low)} and {fmt.duration(time.high)}."
        yield (
            f"**time/baseline** {measured}: it takes {factor} times as long as `{base}`. "
            f"So it is {1 / ratio.value:.3g} times as fast."
        )
        yield f"**verdict** {explained([row.verdict.word])}"
        yield f"**samples/s** {samples}: rows of data for each second."
        best = next((other.lane for other in self.of(row.task) if other.over_fastest == 1), None)
        if best:
            yield f"**over fastest** {fastest}: so many times the time of `{best}`, the fastest lane of the task."
        if row.floor:
            yield f"**over floor** {above}: the floor of this machine is {fmt.duration(row.floor)}."
        first = fmt.duration(row.first_call_s)
        yield f"**first call** {first}: a fresh process traces, compiles and runs it once."
        yield (
            f"**break-even** {fmt.steps(even.steps)}: after so many steps the first call is paid "
            f"back. For fewer steps `{base}` is done sooner."
        )

    def tiers(self) -> str:
        """The lanes of each tier, as they described themselves."""
        body = []
        for tier, meaning in TIERS.items():
            lanes = dict.fromkeys(f"`{row.lane}`" for row in self.rows if row.tier == tier)
            body.append((tier, meaning, ", ".join(lanes)))
        return table(("tier", "what", "lanes"), body)

    def fastest(self) -> str:
        """The lanes of each tier by time per step, the least first, on every task."""
        body = []
        for task in self.record.tasks:
            timed = self.by_time(task)
            lanes = [", ".join(f"`{row.lane}`" for row in timed if row.tier == tier) for tier in TIERS]
            body.append((task, *lanes))
        return table(("task", *TIERS), body)

    def order(self) -> str:
        """In which tiers the order of lanes depends on the task."""
        varying = []
        for tier in TIERS:
            orders = {
                tuple(row.lane for row in self.by_time(task) if row.tier == tier)
                for task in self.record.tasks
            }
            varying += [tier] if len(orders) > 1 else []
        if not varying:
            return "Here the order is the same on every task. In general it depends on the task."
        return f"Here the order depends on the task among the {listed(varying)} lanes."

    def reading(self) -> str:
        """How a record is read in Python, and what that prints."""
        plan = self.record.plan
        return (
            "```python\n"
            "from samestep import load\n\n"
            'record = load("results/reference").record  # a run\'s folder, or its benchmark.json\n'
            "print(record.schema_version, record.plan.baseline, record.plan.effort.name)\n"
            "```\n"
            f"```text\n{self.record.schema_version} {plan.baseline} {plan.effort.name}\n```"
        )

    def calls(self) -> str:
        """Each framework's cheapest call."""
        dispatches = sorted(self.record.dispatches, key=lambda dispatch: dispatch.seconds)
        body = [(f"`{dispatch.call}`", fmt.duration(dispatch.seconds)) for dispatch in dispatches]
        return table(("call on one number", "takes"), body)

    def sizes(self) -> str:
        """Time per step of some lanes on the smallest and on the largest task."""
        times = {
            (row.task, row.lane): marked(row, fmt.duration(row.time.value)) for row in self.rows if row.time
        }
        works = sorted(self.record.plan.works, key=lambda work: work.flops_per_step)
        ends = [work.task.name for work in (works[0], works[-1])]
        body = [(f"`{lane}`", *(times.get((task, lane), "") for task in ends)) for lane in SOME_LANES]
        return table(("lane", *(f"{task}, a step" for task in ends)), body)

    def duration(self, folder: Path) -> str:
        """How long the run took, from its plan to its end."""
        plan = self.record.plan
        document = json.loads((folder / WHOLE).read_bytes())
        begin, end = (datetime.fromisoformat(moment) for moment in (plan.created, document["datetime"]))
        grid = f"{len(plan.works)} tasks by {len(plan.lanes)} lanes"
        return (
            f"The reference result ({grid} at effort {plan.effort.name}) "
            f"took {(end - begin).total_seconds() / 60:.0f} minutes on its {plan.environment.allowed_cpus} CPUs."
        )
