"""The first exercise as plain text: S9, reduction or learning rate?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.lesson.exercises import PAIRS, PARTIAL_BATCH
from benchmarks.lesson.layout import Table, both, loss, pair, prose, rows, small
from benchmarks.lesson.page import Page, apart
from benchmarks.lesson.schema import Exercise1, LaneWalk, Ratio, Run, Setting


def exercise1(page: Page) -> list[str]:
    """The first exercise, and the two tabs of the book."""
    return [line for section in (four_runs, partial_batch, what_went_wrong, halves) for line in section(page)]


def four_runs(page: Page) -> list[str]:
    """S9: mean or sum, at two learning rates each."""
    lines = page.heading(
        "S9", "EXERCISE 1  reduction sum instead of mean: four runs, each from the shared start"
    )
    table = page.table()
    table.add("", page.first_and_last())
    for index, name in enumerate("ABCD"):
        _run(page, table, name, lambda lane: lane.exercise1.runs, index)
    for index, (left, right) in enumerate(PAIRS):
        table.add(f"{left} and {right}", page.item(lambda lane: lane.exercise1.equal, index, apart))
    table.add("gradient, sum / mean", page.each(lambda lane: f"{lane.exercise1.gradient_ratio:.6g}"))
    _run(page, table, "A again, not reset", lambda lane: [lane.exercise1.continued])
    table.add("C over A: how far above the best, in other orders too", ())
    for index, ratio in enumerate(page.walked[0].exercise1.ratios if page.walked else ()):
        table.add(f"  seed {ratio.seed}", page.item(lambda lane: lane.exercise1.ratios, index, _ratio))
    return [*lines, *table.lines()]


def _run(
    page: Page, table: Table, name: str, runs: Callable[[LaneWalk], Sequence[Run]], index: int = 0
) -> None:
    """A run in three rows: the sum over rows, the mean per row, and how far above the best."""
    for lane in page.walked[:1]:
        run = runs(lane)[index]
        rate = "the rate over each batch's own rows"
        if run.learning_rate is not None:
            rate = f"learning rate {run.learning_rate:.4g}"
        table.add(f"{name}: {run.loss}, reduction {run.reduction}, {rate}", ())
    table.add("  sum over rows", page.item(runs, index, lambda run: both(run.sums, loss)))
    table.add("  mean per row", page.item(runs, index, lambda run: both(run.means, loss)))
    table.add("  above best", page.item(runs, index, lambda run: both(run.above_best, small)))


def _ratio(found: Ratio) -> str:
    return pair(f"{found.first:.3g}", f"{found.last:.3g}")


def partial_batch(page: Page) -> list[str]:
    """S9: where no constant rule holds."""
    table = page.table()
    for index, name in enumerate("EFG"):
        _run(page, table, name, lambda lane: lane.exercise1.partial.runs, index)
    for index, name in enumerate("FG"):
        table.add(f"E and {name}", page.item(lambda lane: lane.exercise1.partial.equal, index, apart))
    last = page.walked[0].exercise1.partial.last_batch if page.walked else 0
    table.rows.insert(0, ("", page.first_and_last()))
    return [
        *page.heading("S9", f"EXERCISE 1 at batch {PARTIAL_BATCH}, where the last batch has {rows(last)}"),
        *table.lines(),
        "",
        *page.prose(
            f"E is the mean. F, the sum at the rate over {PARTIAL_BATCH}, is right for every batch but the "
            f"last, whose mean divides by {last}. G, the sum at the rate over each batch's own number of rows, "
            "follows E through the last batch too."
        ),
    ]


def what_went_wrong(page: Page) -> list[str]:
    """S9: why the text concluded that a sum harms learning."""
    if not page.walked:
        return []
    name = next(lane.name for lane in page.walk.lanes if lane.walk is not None)
    batch = "" if page.setting.batch_size == 10 else "; the text's batch was 10"
    lines = page.heading("S9", f"WHY THE TEXT WENT WRONG  (numbers of the {name} lane{batch})")
    for number, reason in enumerate(_reasons(page.setting, page.walked[0].exercise1), 1):
        lines += prose(f"{number}. {reason}", page.width, hang=3)
    return lines


def _reasons(s: Setting, found: Exercise1) -> list[str]:
    a, _, c, _ = found.runs
    same, other, across = found.equal
    partial = f" The last batch here has {rows(s.last_batch)}, and no constant rule holds there."
    return [
        f"Reduction changes nothing; the effective learning rate does. A and B: {apart(same)}. C and D: "
        f"{apart(other)}. A and C: {apart(across)}. The rule is rate of the sum = rate of the mean / batch."
        + (partial if s.last_batch != s.batch_size else ""),
        f"The text set a sum over 1000 rows, 0.096 to 0.123, beside a mean, 0.000104. Here C's sum of "
        f"{loss(c.sums[-1])} is {loss(c.means[-1])} a row, and A's mean of {loss(a.means[-1])} sums to "
        f"{loss(a.sums[-1])}.",
        f"Its weights were not reset between runs, so its mean run began at 0.000104, where nothing is left to "
        f"learn. From a fresh start A shows {loss(a.means[0])} after one epoch; trained on without a reset, "
        f"{loss(found.continued.means[0])}.",
        f"The gradient of a sum is larger by the batch, {found.gradient_ratio:.4g} times here; the number of "
        f"rows, {s.rows}, does not enter.",
        f"It printed 0.000284 under reduction sum. No parameters give a sum below "
        f"{loss(s.best_loss * s.rows)} on this data, and the noise alone is worth about {s.rows} x "
        f"{s.noise:g}^2 = {s.rows * s.noise**2:.3g} on the text's too: that output was left over "
        "from another run.",
        _oscillates(found.ratios),
    ]


def _oscillates(ratios: Sequence[Ratio]) -> str:
    first, last = [ratio.first for ratio in ratios], [ratio.last for ratio in ratios]
    verdict = (
        "half right: C is near at once, and stays at a distance"
        if max(first) < 1 < min(last)
        else "a matter of the batch"
    )
    return (
        f"'It oscillates' is {verdict}. Over {len(ratios)} orders C ends {_range(last)} times as far above "
        f"the best as A; after one epoch it is {_range(first)} times as far."
    )


def _range(values: list[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g}" if np.isfinite(values).all() else "immeasurably many"


def halves(page: Page) -> list[str]:
    """The two tabs of the book."""
    table = page.table()
    table.add("gradient, without / with", page.each(lambda lane: f"{lane.half.gradient_ratio:.6g}"))
    table.add("", page.first_and_last())
    _run(page, table, "e^2 / 2", lambda lane: [lane.half.run])
    table.add("and mse at half the rate", page.each(lambda lane: apart(lane.half.equal)))
    return [
        *page.heading("S5, S9", "THE BOOK'S TWO TABS  with the factor one half and without"),
        *table.lines(),
        "",
        *page.prose(
            "The book's PyTorch tab uses MSELoss, its JAX tab optax.l2_loss, which is half of it, both at the "
            "same learning rate: its PyTorch model takes twice the step. Here one name is one formula: mse is "
            "e^2."
        ),
    ]
