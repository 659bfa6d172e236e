"""The first exercise as plain text: S9, reduction or learning rate?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table as RichTable

from ..console.choices import counted
from .exercises import PAIRS, PARTIAL_BATCH
from .figures import difference, loss, pair, small
from .models import Exercise1, LaneWalk, LessonSetting, TrainingRun
from .page import Cell, LaneRow, Page


def exercise1(page: Page) -> None:
    """The first exercise, and the two tabs of the book."""
    for section in (four_runs, partial_batch, what_went_wrong, halves):
        section(page)


def four_runs(page: Page) -> None:
    """S9: mean or sum, at two learning rates each."""
    page.heading("S9", "EXERCISE 1  reduction sum instead of mean: runs from the shared start")
    for name, lane in page.lanes_run:
        page.show(_runs(page, name, (*lane.exercise1.runs, lane.exercise1.continued)))
    page.show(
        "Shown are the squared error summed over all rows, its mean per row, and how far that is above the best. "
        "'Loss as' is the reduction that the run trains on. 'A again' trains A on for as many epochs, not reset."
    )
    page.lanes(
        [
            *((f"{left} and {right}", _equal(index)) for index, (left, right) in enumerate(PAIRS)),
            ("gradient, sum / mean", lambda lane: f"{lane.exercise1.gradient_ratio:.6g}"),
        ]
    )
    page.show("How far C is above the best, divided by how far A is, in this order and in others:")
    seeds = [ratio.seed for ratio in page.first.exercise1.ratios]
    page.lanes([_epochs(page), *((f"seed {seed}", _ratio(index)) for index, seed in enumerate(seeds))])


def _runs(page: Page, name: str, runs: Sequence[TrainingRun]) -> RichTable:
    """A lane's runs: sum over rows, mean per row and how far above the best, after the first and last epoch."""
    table = RichTable(box=None, pad_edge=False, padding=(0, page.gap, 0, 0))
    table.add_column(f"{name}\nrun")
    table.add_column("loss\nas")
    table.add_column("learning\nrate", justify="right")
    for figure in ("sum", "mean", "above"):
        for epoch in (1, page.setting.epochs):
            table.add_column(f"{figure},\nepoch {epoch}", justify="right")
    for run in runs:
        rate = "by batch" if run.learning_rate is None else f"{run.learning_rate:.4g}"
        figures = [
            *(loss(run.sums[epoch]) for epoch in (0, -1)),
            *(loss(run.means[epoch]) for epoch in (0, -1)),
            *(small(run.above_best[epoch]) for epoch in (0, -1)),
        ]
        table.add_row(run.name, run.reduction, rate, *figures)
    return table


def _epochs(page: Page) -> LaneRow:
    """The heads of two figures in every cell."""
    return "", lambda _: pair("epoch 1", f"epoch {page.setting.epochs}")


def _equal(index: int) -> Cell:
    return lambda lane: difference(lane.exercise1.equal[index])


def _ratio(index: int) -> Cell:
    def cell(lane: LaneWalk) -> str:
        ratio = lane.exercise1.ratios[index]
        return pair(f"{ratio.first:.3g}", f"{ratio.last:.3g}")

    return cell


def partial_batch(page: Page) -> None:
    """S9: where no constant rule holds."""
    last = page.first.exercise1.partial.last_batch
    rows = counted(last, "row")
    page.heading("S9", f"EXERCISE 1 at batch {PARTIAL_BATCH}, where the last batch has {rows}")
    for name, lane in page.lanes_run:
        page.show(_runs(page, name, lane.exercise1.partial.runs))
    page.lanes(
        [
            ("E and F", lambda lane: difference(lane.exercise1.partial.equal[0])),
            ("E and G", lambda lane: difference(lane.exercise1.partial.equal[1])),
        ]
    )
    page.show(
        f"E is the mean. F is the sum at the rate over {PARTIAL_BATCH}: right for every batch but the "
        f"last, whose mean divides by {last}. G is the sum at the rate over each batch's own number of rows, "
        "and follows E through the last batch too."
    )


def what_went_wrong(page: Page) -> None:
    """S9: why the text concluded that a sum harms learning."""
    name = page.lanes_run[0][0]
    batch = "" if page.setting.batch_size == 10 else "; the text's batch was 10"
    page.heading("S9", f"WHY THE TEXT WENT WRONG  (numbers of the {name} lane{batch})")
    page.numbered(_reasons(page.setting, page.first.exercise1))


def _reasons(s: LessonSetting, exercise: Exercise1) -> list[str]:
    a, b, c, _ = exercise.runs
    summed, name = (b, "B") if _diverges(s, c) else (c, "C")
    return [
        f"Reduction changes nothing; the effective learning rate does. {_equalities(s, exercise)}",
        f"The text set a sum over 1000 rows, 0.096 to 0.123, beside a mean, 0.000104. Here {name}'s sum of "
        f"{loss(summed.sums[-1])} is {loss(summed.means[-1])} a row, and A's mean of {loss(a.means[-1])} sums to "
        f"{loss(a.sums[-1])}.",
        f"Its weights were not reset between runs, so its mean run began at 0.000104, where nothing is left to "
        f"learn. From a fresh start A shows {loss(a.means[0])} after one epoch; trained on without a reset, "
        f"{loss(exercise.continued.means[0])}.",
        _gradient(s, exercise.gradient_ratio),
        f"It printed 0.000284 under reduction sum. No parameters give a sum below "
        f"{loss(s.best_loss * s.rows)} on this data, and the noise alone is worth about {s.rows} x "
        f"{s.noise:g}^2 = {s.rows * s.noise**2:.3g} on the text's too: that output was left over "
        "from another run.",
        _oscillates(s, exercise),
    ]


def _equalities(s: LessonSetting, exercise: Exercise1) -> str:
    """The rule, how near the runs are that should be equal, and what else makes the gap."""
    same, other, across = map(difference, exercise.equal)
    rule = "The rule is rate of the sum = rate of the mean / batch."
    if s.batch_size == 1:
        return f"{rule} At batch 1 the mean of a row is its sum, and A to D are one run. A and C: {across}."
    if s.last_batch != s.batch_size:
        return (
            f"{rule} It holds for full batches. The last one here has {counted(s.last_batch, 'row')}, and its "
            f"mean divides by that, while the rate of the sum stays divided by {s.batch_size}: no constant rule "
            f"holds there. That step, not reduction, makes the gaps. A and B: {same}. C and D: {other}. "
            f"A and C: {across}."
        )
    exact = all(equality.bit_for_bit for equality in exercise.equal[:2])
    rounding = "" if exact else " Rounding, not reduction, makes these gaps."
    return f"A and B: {same}. C and D: {other}.{rounding} A and C: {across}. {rule}"


def _gradient(s: LessonSetting, ratio: float) -> str:
    larger = "The gradient of a sum is larger by the batch"
    if s.batch_size == 1:
        return f"{larger}, which is 1 here: not at all. The number of rows, {s.rows}, does not enter."
    if s.batch_size == s.rows:
        return f"{larger}, {ratio:.4g} times here; the number of rows enters only because the batch has them all."
    return f"{larger}, {ratio:.4g} times here; the number of rows, {s.rows}, does not enter."


def _diverges(s: LessonSetting, run: TrainingRun) -> bool:
    """Whether a run ends no better than a model that always answers 0."""
    return not run.means[-1] < _loss_of_zero(s)


def _loss_of_zero(s: LessonSetting) -> float:
    """The expected squared error of the answer 0, since X ~ N(0, 1)."""
    return sum(w * w for w in s.weights) + s.bias**2 + s.noise**2


def _oscillates(s: LessonSetting, exercise: Exercise1) -> str:
    c, ratios = exercise.runs[2], exercise.ratios
    if s.batch_size == 1:
        return "'It oscillates' cannot be seen at batch 1, where C is A."
    if _diverges(s, c):
        return (
            f"'It oscillates' is too mild at batch {s.batch_size}: C diverges. After epoch {s.epochs} its loss "
            f"is {loss(c.means[-1])} a row; the answer 0 to everything has about {_loss_of_zero(s):.3g}."
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


def halves(page: Page) -> None:
    """The two tabs of the book."""
    page.heading("S5, S9", "THE BOOK'S TWO TABS  with the factor one half and without")
    for name, lane in page.lanes_run:
        page.show(_runs(page, name, [lane.half.run]))
    page.lanes(
        [
            ("gradient, without / with", lambda lane: f"{lane.half.gradient_ratio:.6g}"),
            ("and mse at half the rate", lambda lane: difference(lane.half.equal)),
        ]
    )
    page.show(
        "The book's PyTorch tab uses MSELoss, its JAX tab optax.l2_loss, which is half of it, both at the "
        "same learning rate: its PyTorch model takes twice the step. Here one name is one formula: mse is "
        "e^2. The runs above train on e^2 / 2; their figures are those of e^2."
    )
