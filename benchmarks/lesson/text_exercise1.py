"""The first exercise as plain text: S9, reduction or learning rate?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .exercises import PAIRS, PARTIAL_BATCH
from .layout import Table, both, loss, pair, prose, rows, small
from .models import Exercise1, LaneWalk, Ratio, Run, Setting
from .sections import Page, apart


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
    for index, ratio in enumerate(page.first.exercise1.ratios):
        table.add(f"  seed {ratio.seed}", page.item(lambda lane: lane.exercise1.ratios, index, _ratio))
    return [*lines, *table.lines()]


def _run(
    page: Page, table: Table, name: str, runs: Callable[[LaneWalk], Sequence[Run]], index: int = 0
) -> None:
    """A run in three rows: the sum over rows, the mean per row, and how far above the best."""
    run = runs(page.first)[index]
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
    last = page.first.exercise1.partial.last_batch
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
    name = next(lane.name for lane in page.walk.lanes if lane.walk is not None)
    batch = "" if page.setting.batch_size == 10 else "; the text's batch was 10"
    lines = page.heading("S9", f"WHY THE TEXT WENT WRONG  (numbers of the {name} lane{batch})")
    for number, reason in enumerate(_reasons(page.setting, page.first.exercise1), 1):
        lines += prose(f"{number}. {reason}", page.width, hang=3)
    return lines


def _reasons(s: Setting, found: Exercise1) -> list[str]:
    a, b, c, _ = found.runs
    summed, name = (b, "B") if _diverges(s, c) else (c, "C")
    return [
        f"Reduction changes nothing; the effective learning rate does. {_equalities(s, found)}",
        f"The text set a sum over 1000 rows, 0.096 to 0.123, beside a mean, 0.000104. Here {name}'s sum of "
        f"{loss(summed.sums[-1])} is {loss(summed.means[-1])} a row, and A's mean of {loss(a.means[-1])} sums to "
        f"{loss(a.sums[-1])}.",
        f"Its weights were not reset between runs, so its mean run began at 0.000104, where nothing is left to "
        f"learn. From a fresh start A shows {loss(a.means[0])} after one epoch; trained on without a reset, "
        f"{loss(found.continued.means[0])}.",
        _gradient(s, found.gradient_ratio),
        f"It printed 0.000284 under reduction sum. No parameters give a sum below "
        f"{loss(s.best_loss * s.rows)} on this data, and the noise alone is worth about {s.rows} x "
        f"{s.noise:g}^2 = {s.rows * s.noise**2:.3g} on the text's too: that output was left over "
        "from another run.",
        _oscillates(s, found),
    ]


def _equalities(s: Setting, found: Exercise1) -> str:
    """The rule, how near the runs are that should be equal, and what else makes the gap."""
    same, other, across = map(apart, found.equal)
    rule = "The rule is rate of the sum = rate of the mean / batch."
    if s.batch_size == 1:
        return f"{rule} At batch 1 the mean of a row is its sum, and A to D are one run. A and C: {across}."
    if s.last_batch != s.batch_size:
        return (
            f"{rule} It holds for full batches. The last one here has {rows(s.last_batch)}, and its mean divides "
            f"by that, while the rate of the sum stays divided by {s.batch_size}: no constant rule holds there. "
            f"That step, not reduction, makes the gaps. A and B: {same}. C and D: {other}. A and C: {across}."
        )
    exact = all(pair.bit_for_bit for pair in found.equal[:2])
    rounding = "" if exact else " Rounding, not reduction, makes these gaps."
    return f"A and B: {same}. C and D: {other}.{rounding} A and C: {across}. {rule}"


def _gradient(s: Setting, ratio: float) -> str:
    larger = "The gradient of a sum is larger by the batch"
    if s.batch_size == 1:
        return f"{larger}, which is 1 here: not at all. The number of rows, {s.rows}, does not enter."
    if s.batch_size == s.rows:
        return f"{larger}, {ratio:.4g} times here; the number of rows enters only because the batch has them all."
    return f"{larger}, {ratio:.4g} times here; the number of rows, {s.rows}, does not enter."


def _diverges(s: Setting, run: Run) -> bool:
    """Whether a run ends no better than a model that always answers 0."""
    return not run.means[-1] < _answering_nothing(s)


def _answering_nothing(s: Setting) -> float:
    """The expected squared error of the answer 0, since X ~ N(0, 1)."""
    return sum(w * w for w in s.weights) + s.bias**2 + s.noise**2


def _oscillates(s: Setting, found: Exercise1) -> str:
    c, ratios = found.runs[2], found.ratios
    if s.batch_size == 1:
        return "'It oscillates' cannot be seen at batch 1, where C is A."
    if _diverges(s, c):
        return (
            f"'It oscillates' is too mild at batch {s.batch_size}: C diverges. After epoch {s.epochs} its loss "
            f"is {loss(c.means[-1])} a row; the answer 0 to everything has about {_answering_nothing(s):.3g}."
        )
    first, last = [ratio.first for ratio in ratios], [ratio.last for ratio in ratios]
    verdict = (
        "half right: C is near at once, and stays at a distance"
        if max(first) < 1 < min(last)
        else "a matter of the batch and the order"
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
