"""Hypotheses about data iteration: other rows than the order's, and targets that are not those of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from samestep.backends.interface import RowOrder

from ...record.proof import Cause
from .case import MOST_PLAYED, Case, Hypothesis, Outcome, StepSnapshot

Choose: TypeAlias = Callable[[StepSnapshot], RowOrder | None]  # None where there are no such rows


@dataclass(frozen=True, eq=False)
class RowChoice:
    """Rows that a wrong program may take, as a function of the step."""

    cause: Cause
    description: str
    choose: Choose

    def rows(self, snapshot: StepSnapshot) -> RowOrder | None:
        """The rows of a step; None where there are none."""
        rows = self.choose(snapshot)
        return None if rows is None or not len(rows) else rows


def of_rows(case: Case) -> Iterator[Hypothesis]:
    """Other rows than the order's, with their own targets."""

    def playing(choice: RowChoice) -> Hypothesis:
        def play(snapshot: StepSnapshot) -> Outcome | None:
            rows = choice.rows(snapshot)
            return None if rows is None else case.play(snapshot, case.workload.x[rows], case.workload.y[rows])

        return Hypothesis(choice.cause, choice.description, play)

    def padded(snapshot: StepSnapshot) -> Outcome | None:
        missing = min(case.batch_size, len(case.workload.x)) - len(snapshot.rows)
        zeros = (np.zeros_like(a, shape=(missing, *a.shape[1:])) for a in case.batch(snapshot))
        x, y = (np.concatenate(pair) for pair in zip(case.batch(snapshot), zeros, strict=True))
        return case.play(snapshot, x, y)

    yield from map(playing, row_choices(case))
    yield Hypothesis("partial batch", "a partial batch filled up with zeros", padded)


def of_targets(case: Case) -> Iterator[Hypothesis]:
    """The right features with other targets, and the other way round."""
    choices = [choice for choice in row_choices(case) if choice.cause in ("rows", "stale", "labels")]
    for choice in (*choices, *choices_within_batch()):
        yield from mispaired(case, choice)
    if case.workload.y.dtype.kind == "f":
        yield from changed_targets(case)


def mispaired(case: Case, choice: RowChoice) -> Iterator[Hypothesis]:
    """Features of some rows with the targets of others, both ways."""
    x, y = case.workload.x, case.workload.y

    def rows(snapshot: StepSnapshot) -> RowOrder | None:
        chosen = choice.rows(snapshot)
        return None if chosen is None or len(chosen) != len(snapshot.rows) else chosen

    def other_targets(snapshot: StepSnapshot) -> Outcome | None:
        chosen = rows(snapshot)
        return None if chosen is None else case.play(snapshot, x[snapshot.rows], y[chosen])

    def other_features(snapshot: StepSnapshot) -> Outcome | None:
        chosen = rows(snapshot)
        return None if chosen is None else case.play(snapshot, x[chosen], y[snapshot.rows])

    yield Hypothesis("labels", f"the right features with the targets of {choice.description}", other_targets)
    yield Hypothesis("labels", f"the right targets with the features of {choice.description}", other_features)


def changed_targets(case: Case) -> Iterator[Hypothesis]:
    """Floating targets that are broadcast, sorted or negated."""
    x, y = case.workload.x, case.workload.y

    def broadcast(snapshot: StepSnapshot) -> Outcome | None:
        rows, n = snapshot.rows, len(snapshot.rows)
        if n * n * x.shape[1] > MOST_PLAYED:
            return None
        return case.play(snapshot, x[np.repeat(rows, n)], y[np.tile(rows, n)])

    def sorted_targets(snapshot: StepSnapshot) -> Outcome | None:
        return case.play(snapshot, x[snapshot.rows], np.sort(y[snapshot.rows], axis=0))

    def negated(snapshot: StepSnapshot) -> Outcome | None:
        return case.play(snapshot, x[snapshot.rows], -y[snapshot.rows])

    yield Hypothesis("labels", "every row against every target: (n, 1) against (n,) makes (n, n)", broadcast)
    yield Hypothesis("labels", "targets sorted within the batch", sorted_targets)
    yield Hypothesis("labels", "targets of the other sign", negated)


# --- which rows -----------------------------------------------------------------------------------------------


def choices_within_batch() -> list[RowChoice]:
    """Rows of the same batch in another arrangement."""
    table: list[tuple[str, Choose]] = [
        ("the batch in reverse", lambda s: s.rows[::-1]),
        ("the row before in the batch", lambda s: np.roll(s.rows, 1)),
        ("the row after in the batch", lambda s: np.roll(s.rows, -1)),
        ("the first row of the batch", lambda s: np.repeat(s.rows[:1], len(s.rows))),
        ("the batch in ascending order", lambda s: np.sort(s.rows)),
    ]
    return [RowChoice("labels", description, choose) for description, choose in table]


def row_choices(case: Case) -> Iterator[RowChoice]:
    """Rows that are not the order's, the likeliest first."""
    workload, n = case.workload, len(case.workload.x)
    orders, steps = workload.orders, workload.steps_per_epoch

    def other_order(description: str, order_of_epoch: Callable[[int], RowOrder | None]) -> RowChoice:
        """The step's place in another order, chosen by the epoch."""

        def choose(snapshot: StepSnapshot) -> RowOrder | None:
            epoch, position = case.position(snapshot)
            order = order_of_epoch(epoch)
            return None if order is None else batch_of(case, order, position)

        return RowChoice("rows", description, choose)

    def next_order(epoch: int) -> RowOrder | None:
        return orders[epoch + 1] if epoch + 1 < len(orders) else None

    yield other_order("rows in their stored order", lambda epoch: np.arange(n))
    yield other_order("rows of the first epoch's order again", lambda epoch: orders[0])
    yield other_order("the order reversed", lambda epoch: orders[epoch][::-1])
    yield from other_steps(case)
    yield other_order("the next epoch's order", next_order)
    yield other_order("the order of the epoch before", lambda epoch: orders[max(0, epoch - 1)])
    yield RowChoice("rows", "an epoch's batches last to first", lambda s: mirrored_batch(case, s))
    yield other_order("the inverse of the order", lambda epoch: np.argsort(orders[epoch]))
    yield RowChoice("rows", "the row after each", lambda s: (s.rows + 1) % n)
    yield RowChoice("rows", "the row before each", lambda s: (s.rows - 1) % n)
    yield other_order("the order shifted by one row", lambda epoch: np.roll(orders[epoch], -1))
    every = f"every {steps}th row of the order"
    yield RowChoice("rows", every, lambda s: case.row_order(s)[case.position(s)[1] :: steps])
    yield RowChoice("rows", "all rows at once", lambda s: np.arange(n))
    yield RowChoice("rows", "the batch without its last row", lambda s: s.rows[:-1])
    yield RowChoice("rows", "the batch without its first row", lambda s: s.rows[1:])
    again = "the first rows of the data again and again"
    yield RowChoice("rows", again, lambda s: np.arange(len(s.rows)))
    again = "the first batch again and again"
    yield RowChoice("rows", again, lambda s: case.row_order(s)[: case.batch_size])
    for seed in sorted({workload.task.seed, workload.task.seed + 1, 0, 1, 42}):
        lead = f"a permutation from the seed {seed}"
        yield other_order(f"{lead} alone", permutations(seed, n))
        yield other_order(f"{lead} plus the epoch alone", permutations(seed, n, per_epoch=1))
    yield from filled_up(case)


def batch_of(case: Case, order: RowOrder, position: int) -> RowOrder:
    """The batch at a position of an order."""
    rows = np.asarray(order, dtype=np.int64)
    return rows[position * case.batch_size : (position + 1) * case.batch_size]


def permutations(seed: int, rows: int, per_epoch: int = 0) -> Callable[[int], RowOrder]:
    """The orders that NumPy's generator draws from a seed alone, by epoch."""
    return lambda epoch: np.random.default_rng(seed + per_epoch * epoch).permutation(rows)


def other_steps(case: Case) -> Iterator[RowChoice]:
    """The batches of other steps: partial ones dropped, one step late, one step early."""
    orders, n, size = case.workload.orders, len(case.workload.x), case.batch_size

    def batch_at(step: int, steps_per_epoch: int) -> RowOrder | None:
        epoch, position = divmod(step, steps_per_epoch)
        return batch_of(case, orders[epoch], position) if 0 <= epoch < len(orders) else None

    def whole_batches(snapshot: StepSnapshot) -> RowOrder | None:
        return batch_at(snapshot.number - 1, n // size) if n % size and n >= size else None

    steps = case.workload.steps_per_epoch
    yield RowChoice("partial batch", "an order whose last, partial batches are dropped", whole_batches)
    yield RowChoice("stale", "the batch of the step before", lambda s: batch_at(s.number - 2, steps))
    yield RowChoice("rows", "the batch of the step after", lambda s: batch_at(s.number, steps))


def mirrored_batch(case: Case, snapshot: StepSnapshot) -> RowOrder:
    """The batch as far from the epoch's end as this one is from its beginning."""
    position = case.workload.steps_per_epoch - 1 - case.position(snapshot)[1]
    return batch_of(case, case.row_order(snapshot), position)


def filled_up(case: Case) -> Iterator[RowChoice]:
    """Partial batches that are made whole with other rows."""
    size = case.batch_size

    def filled(what: str, fill: Callable[[StepSnapshot, RowOrder], RowOrder]) -> RowChoice:
        """`fill` makes the whole batch from the partial one and the epoch's order."""

        def choose(snapshot: StepSnapshot) -> RowOrder:
            if not case.is_partial(snapshot):
                return snapshot.rows
            return fill(snapshot, case.row_order(snapshot))

        return RowChoice("partial batch", f"a partial batch filled up with {what}", choose)

    def leftover(snapshot: StepSnapshot, order: RowOrder) -> RowOrder:
        position, rows = case.position(snapshot)[1], snapshot.rows
        before = batch_of(case, order, position - 1) if position else rows
        return np.concatenate([rows, before[len(rows) :]])

    def with_first(snapshot: StepSnapshot, order: RowOrder) -> RowOrder:
        return np.concatenate([snapshot.rows, order[: size - len(snapshot.rows)]])

    def with_last(snapshot: StepSnapshot, order: RowOrder) -> RowOrder:
        last = np.repeat(snapshot.rows[-1:], size - len(snapshot.rows))
        return np.concatenate([snapshot.rows, last])

    yield filled("the first rows of the order", with_first)
    yield filled("its last row", with_last)
    yield filled("its own rows again", lambda s, order: np.resize(s.rows, size))
    yield filled("rows of the batch before", lambda s, order: order[-size:])
    yield filled("what the buffer still held", leftover)
