"""Other rows than the order's, with their own targets; and data that are not the given ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np

from samestep.backends.interface import Host, RowOrder

from ....record.proof import Cause
from ..case import Case, Outcome, StepSnapshot, Variation, flat

Choose: TypeAlias = Callable[[StepSnapshot], RowOrder | None]  # None where there are no such rows

MOST_DRAWN = 1_000_000  # rows of which other orders are drawn
SEEDS = (0, 1, 7, 42, 123, 1234, 1337, 2023, 2024)  # those that people take, beside the task's


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


def of_rows(case: Case) -> Iterator[Variation]:
    """Other rows than the order's, with their own targets."""

    def playing(choice: RowChoice) -> Variation:
        def play(snapshot: StepSnapshot) -> Outcome | None:
            rows = choice.rows(snapshot)
            return None if rows is None else case.play(snapshot, case.workload.x[rows], case.workload.y[rows])

        return Variation(choice.cause, choice.description, play)

    def padded(snapshot: StepSnapshot) -> Outcome | None:
        missing = min(case.batch_size, len(case.workload.x)) - len(snapshot.rows)
        zeros = (np.zeros_like(a, shape=(missing, *a.shape[1:])) for a in case.batch(snapshot))
        x, y = (np.concatenate(pair) for pair in zip(case.batch(snapshot), zeros, strict=True))
        return case.play(snapshot, x, y)

    yield from map(playing, row_choices(case))
    yield from of_micro_batches(case)
    yield Variation("partial batch", "a partial batch filled up with zeros", padded)


def of_micro_batches(case: Case) -> Iterator[Variation]:
    """The mean over the means of micro-batches that are not equally large."""

    def averaged(size: int) -> Variation:
        def play(snapshot: StepSnapshot) -> Outcome | None:
            rows, total = snapshot.rows, None
            if len(rows) % size == 0:
                return None
            starts = range(0, len(rows), size)
            for start in starts:
                piece = rows[start : start + size]
                step = case.play_step(snapshot, case.workload.x[piece], case.workload.y[piece])
                part = Outcome(step.loss, flat(step.gradients))
                total = (
                    part if total is None else Outcome(total.loss + part.loss, total.gradient + part.gradient)
                )
            assert total is not None
            return Outcome(total.loss / len(starts), total.gradient / len(starts))

        description = f"micro-batches of {size}, whose means are averaged though the last one is smaller"
        return Variation("partial batch", description, play)

    if case.workload.task.loss.reduction != "sum":
        yield from map(averaged, range(2, min(case.batch_size, 33)))


# --- which rows -----------------------------------------------------------------------------------------------


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
    yield other_order("the order applied twice", lambda epoch: orders[epoch][orders[epoch]])
    yield RowChoice("rows", "the row after each", lambda s: (s.rows + 1) % n)
    yield RowChoice("rows", "the row before each", lambda s: (s.rows - 1) % n)
    yield other_order("the order shifted by one row", lambda epoch: np.roll(orders[epoch], -1))
    yield other_order("the order shifted back by one row", lambda epoch: np.roll(orders[epoch], 1))
    every = f"every {steps}th row of the order"
    yield RowChoice("rows", every, lambda s: case.row_order(s)[case.position(s)[1] :: steps])
    yield RowChoice("rows", "all rows at once", lambda s: np.arange(n))
    yield RowChoice("rows", "the batch without its last row", lambda s: s.rows[:-1])
    yield RowChoice("rows", "the batch without its first row", lambda s: s.rows[1:])
    yield RowChoice("rows", "the batch with the next row of the order too", lambda s: longer(case, s))
    again = "the first rows of the data again and again"
    yield RowChoice("rows", again, lambda s: np.arange(len(s.rows)))
    again = "the first batch again and again"
    yield RowChoice("rows", again, lambda s: case.row_order(s)[: case.batch_size])
    for name, draw in other_draws(case, n):
        yield other_order(name, draw)
    yield from filled_up(case)


def longer(case: Case, snapshot: StepSnapshot) -> RowOrder:
    """A batch whose slice ends one row too late."""
    start = case.position(snapshot)[1] * case.batch_size
    return case.row_order(snapshot)[start : start + len(snapshot.rows) + 1]


def batch_of(case: Case, order: RowOrder, position: int) -> RowOrder:
    """The batch at a position of an order."""
    rows = np.asarray(order, dtype=np.int64)
    return rows[position * case.batch_size : (position + 1) * case.batch_size]


def other_draws(case: Case, rows: int) -> Iterator[tuple[str, Callable[[int], RowOrder]]]:
    """Orders that other seeds and other generators draw, by epoch."""
    if rows > MOST_DRAWN:
        return
    seed = case.workload.task.seed
    for other in sorted({seed, seed + 1, *SEEDS}):
        for description, draw in DRAWS.items():
            if other == seed and description == ALONE:
                continue  # it is that of the first epoch
            yield description.format(other), partial(draw, other, rows)


@lru_cache(maxsize=256)
def drawn(rows: int, *key: int) -> RowOrder:
    """A permutation by NumPy's generator of a key; a last 0 changes nothing in it."""
    return np.random.default_rng(list(key)).permutation(rows)


@lru_cache(maxsize=64)
def drawn_on(seed: int, rows: int, epoch: int) -> RowOrder:
    """The permutation that one generator draws for an epoch, after those of the epochs before."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(rows) for _ in range(epoch + 1)][-1]


@lru_cache(maxsize=64)
def legacy_draw(seed: int, rows: int, epoch: int) -> RowOrder:
    """The same, by NumPy's older generator."""
    rng = np.random.RandomState(seed)
    return [rng.permutation(rows) for _ in range(epoch + 1)][-1]


@lru_cache(maxsize=64)
def shuffled(seed: int, rows: int, epoch: int) -> RowOrder:
    """The order that the standard library's generator shuffles a list of row numbers into."""
    rng, order = random.Random(seed), list(range(rows))
    for _ in range(epoch + 1):
        rng.shuffle(order)
    return np.asarray(order)


ALONE = "the permutation of seed {} alone"
DRAWS: Mapping[str, Callable[[int, int, int], RowOrder]] = {  # of seed, rows and epoch
    ALONE: lambda seed, rows, epoch: drawn(rows, seed),
    "the permutation of seed {} plus the epoch": lambda seed, rows, epoch: drawn(rows, seed + epoch),
    "the permutation of seed {} and the epoch": lambda seed, rows, epoch: drawn(rows, seed, epoch),
    "the permutation of the epoch and seed {}": lambda seed, rows, epoch: drawn(rows, epoch, seed),
    "the permutation of seed {} and the epoch after": lambda seed, rows, epoch: drawn(rows, seed, epoch + 1),
    "one generator of seed {} for all epochs": drawn_on,
    "numpy.random.seed({})": legacy_draw,
    "random.Random({}).shuffle": shuffled,
}


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

    def with_stored(snapshot: StepSnapshot, order: RowOrder) -> RowOrder:
        return np.concatenate([snapshot.rows, np.arange(size - len(snapshot.rows))])

    yield filled("the first rows of the order", with_first)
    yield filled("its last row", with_last)
    yield filled("its own rows again", lambda s, order: np.resize(s.rows, size))
    yield filled("rows of the batch before", lambda s, order: order[-size:])
    yield filled("what the buffer still held", leftover)
    yield filled("the first rows of the data", with_stored)


# --- other features -------------------------------------------------------------------------------------------


def of_features(case: Case) -> Iterator[Variation]:
    """The right rows with features that were changed on the way."""
    x = case.workload.x
    with np.errstate(all="ignore"):
        mean, std, low, width = x.mean(axis=0), x.std(axis=0), x.min(axis=0), np.ptp(x, axis=0)
    changes: list[tuple[str, Callable[[Host], Host]]] = [
        ("features in reverse order", lambda rows: rows[:, ::-1]),
        ("features moved by one column", lambda rows: np.roll(rows, 1, axis=1)),
        ("features moved back by one column", lambda rows: np.roll(rows, -1, axis=1)),
        ("features of the other sign", lambda rows: -rows),
        ("features less their mean over all rows", lambda rows: rows - mean),
        ("features standardized over all rows", lambda rows: (rows - mean) / std),
        ("features scaled to [0, 1] over all rows", lambda rows: (rows - low) / width),
        (
            "features standardized within the batch",
            lambda rows: (rows - rows.mean(axis=0)) / rows.std(axis=0),
        ),
        ("features less their mean over the batch", lambda rows: rows - rows.mean(axis=0)),
        ("features divided by 255", lambda rows: rows / 255),
        ("features divided by their row's norm", lambda rows: rows / np.linalg.norm(rows, axis=1)[:, None]),
        ("features rounded to whole numbers", np.round),
        ("features with the first one left out", lambda rows: rows * (np.arange(rows.shape[1]) > 0)),
        (
            "features with the last one left out",
            lambda rows: rows * (np.arange(rows.shape[1]) < rows.shape[1] - 1),
        ),
    ]

    def changed(description: str, change: Callable[[Host], Host]) -> Variation:
        def play(snapshot: StepSnapshot) -> Outcome | None:
            rows, targets = case.batch(snapshot)
            return case.play(snapshot, change(rows.astype(case.reference.wide)), targets)

        return Variation("features", description, play)

    for description, change in changes:
        yield changed(description, change)
