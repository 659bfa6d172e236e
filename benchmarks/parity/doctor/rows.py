"""Suspects of data iteration: other rows than the order's, and targets that are not those of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...record.proof import Cause
from .case import Case, Moment
from .hypothesis import MOST_PLAYED, Played, Suspect, result

Rows: TypeAlias = NDArray[np.int64] | None


def of_rows(case: Case) -> Iterator[Suspect]:
    for cause, words, rows in other_rows(case):

        def play(moment: Moment, rows: Callable[[Moment], Rows] = rows) -> Played:
            found = rows(moment)
            if found is None or not len(found):
                return None
            return result(case, moment, case.workload.x[found], case.workload.y[found])

        yield Suspect(cause, words, play)

    def padded(moment: Moment) -> Played:
        x, y = case.workload.x[moment.rows], case.workload.y[moment.rows]
        short = min(case.batch_size, len(case.workload.x)) - len(moment.rows)
        return result(
            case,
            moment,
            *(np.concatenate([a, np.zeros_like(a, shape=(short, *a.shape[1:]))]) for a in (x, y)),
        )

    yield Suspect("partial batch", "a partial batch filled up with zeros", padded)


def of_targets(case: Case) -> Iterator[Suspect]:
    """The right features with other targets, and the other way round."""
    x, y = case.workload.x, case.workload.y
    for cause, words, rows in [*other_rows(case), *within_batch()]:
        if cause not in ("rows", "stale", "labels"):
            continue

        def targets(moment: Moment, rows: Callable[[Moment], Rows] = rows) -> Played:
            found = rows(moment)
            if found is None or len(found) != len(moment.rows):
                return None
            return result(case, moment, x[moment.rows], y[found])

        def features(moment: Moment, rows: Callable[[Moment], Rows] = rows) -> Played:
            found = rows(moment)
            if found is None or len(found) != len(moment.rows):
                return None
            return result(case, moment, x[found], y[moment.rows])

        yield Suspect("labels", f"the right features with the targets of {words}", targets)
        yield Suspect("labels", f"the right targets with the features of {words}", features)
    if y.dtype.kind == "f":

        def broadcast(moment: Moment) -> Played:
            n = len(moment.rows)
            if n * n * x.shape[1] > MOST_PLAYED:
                return None
            return result(case, moment, x[np.repeat(moment.rows, n)], y[np.tile(moment.rows, n)])

        yield Suspect("labels", "every row against every target: (n, 1) against (n,) makes (n, n)", broadcast)

        def sorted_targets(moment: Moment) -> Played:
            return result(case, moment, x[moment.rows], np.sort(y[moment.rows], axis=0))

        yield Suspect("labels", "targets sorted within the batch", sorted_targets)
        yield Suspect("labels", "targets of the other sign", lambda m: result(case, m, x[m.rows], -y[m.rows]))


def within_batch() -> list[tuple[Cause, str, Callable[[Moment], Rows]]]:
    return [
        ("labels", "the batch in reverse", lambda m: m.rows[::-1]),
        ("labels", "the row before in the batch", lambda m: np.roll(m.rows, 1)),
        ("labels", "the row after in the batch", lambda m: np.roll(m.rows, -1)),
        ("labels", "the first row of the batch", lambda m: np.repeat(m.rows[:1], len(m.rows))),
        ("labels", "the batch in ascending order", lambda m: np.sort(m.rows)),
    ]


def other_rows(case: Case) -> Iterator[tuple[Cause, str, Callable[[Moment], Rows]]]:
    """Rows that are not the order's, as a function of the step."""
    workload, size, n = case.workload, case.batch_size, len(case.workload.x)
    epochs = len(workload.orders)
    steps = len(workload.learning_rates[0])

    def cut(order: NDArray[np.int64], position: int) -> NDArray[np.int64]:
        return order[position * size : (position + 1) * size]

    def of(choose: Callable[[int], Any]) -> Callable[[Moment], Rows]:
        """Rows of another order, chosen by the epoch."""

        def rows(moment: Moment) -> Rows:
            epoch, position = case.place(moment)
            order = choose(epoch)
            return None if order is None else cut(np.asarray(order, dtype=np.int64), position)

        return rows

    def shifted(by: int) -> Callable[[Moment], Rows]:
        def rows(moment: Moment) -> Rows:
            epoch, position = divmod(moment.number - 1 + by, steps)
            return cut(workload.orders[epoch], position) if 0 <= epoch < epochs else None

        return rows

    def whole_batches(moment: Moment) -> Rows:
        epoch, position = divmod(moment.number - 1, max(1, n // size))
        return cut(workload.orders[epoch], position) if n % size and n >= size and epoch < epochs else None

    yield "rows", "rows in their stored order", of(lambda epoch: np.arange(n))
    yield "rows", "rows of the first epoch's order again", of(lambda epoch: workload.orders[0])
    yield "rows", "the order reversed", of(lambda epoch: workload.orders[epoch][::-1])
    yield "partial batch", "an order whose last, partial batches are dropped", whole_batches
    yield "stale", "the batch of the step before", shifted(-1)
    yield "rows", "the batch of the step after", shifted(1)
    yield "rows", "the next epoch's order", of(lambda e: workload.orders[e + 1] if e + 1 < epochs else None)
    yield "rows", "the order of the epoch before", of(lambda e: workload.orders[max(0, e - 1)])
    yield "rows", "an epoch's batches last to first", batches_reversed(case)
    yield "rows", "the inverse of the order", of(lambda epoch: np.argsort(workload.orders[epoch]))
    yield "rows", "the row after each", lambda m: (m.rows + 1) % n
    yield "rows", "the row before each", lambda m: (m.rows - 1) % n
    yield "rows", "the order shifted by one row", of(lambda epoch: np.roll(workload.orders[epoch], -1))
    yield (
        "rows",
        f"every {steps}th row of the order",
        lambda m: workload.orders[case.place(m)[0]][case.place(m)[1] :: steps],
    )
    yield "rows", "all rows at once", lambda m: np.arange(n)
    yield "rows", "the batch without its last row", lambda m: m.rows[:-1]
    yield "rows", "the batch without its first row", lambda m: m.rows[1:]
    yield "rows", "the first rows of the data again and again", lambda m: np.arange(len(m.rows))
    yield "rows", "the first batch again and again", lambda m: workload.orders[case.place(m)[0]][:size]

    def permuted(seed: int, by_epoch: int) -> Callable[[Moment], Rows]:
        return of(lambda epoch: np.random.default_rng(seed + by_epoch * epoch).permutation(n))

    for seed in sorted({case.workload.task.seed, case.workload.task.seed + 1, 0, 1, 42}):
        yield "rows", f"a permutation from the seed {seed} alone", permuted(seed, 0)
        yield "rows", f"a permutation from the seed {seed} plus the epoch alone", permuted(seed, 1)
    yield from filled_up(case)


def batches_reversed(case: Case) -> Callable[[Moment], Rows]:
    def rows(moment: Moment) -> Rows:
        epoch, position = case.place(moment)
        order, size, steps = (
            case.workload.orders[epoch],
            case.batch_size,
            len(case.workload.learning_rates[0]),
        )
        return order[(steps - 1 - position) * size : (steps - position) * size]

    return rows


def filled_up(case: Case) -> Iterator[tuple[Cause, str, Callable[[Moment], Rows]]]:
    """Partial batches that are made whole."""
    size = case.batch_size

    def only_partial(rows: Callable[[Moment, Any], Any]) -> Callable[[Moment], Rows]:
        def choose(moment: Moment) -> Rows:
            if not case.partial(moment):
                return moment.rows
            return np.asarray(rows(moment, case.workload.orders[case.place(moment)[0]]))

        return choose

    short = "a partial batch filled up with "
    first = only_partial(lambda m, order: np.concatenate([m.rows, order[: size - len(m.rows)]]))
    yield "partial batch", f"{short}the first rows of the order", first
    last = only_partial(lambda m, order: np.concatenate([m.rows, np.repeat(m.rows[-1:], size - len(m.rows))]))
    yield "partial batch", f"{short}its last row", last
    again = only_partial(lambda m, order: np.resize(m.rows, size))
    yield "partial batch", f"{short}its own rows again", again
    end = only_partial(lambda m, order: order[-size:])
    yield "partial batch", f"{short}rows of the batch before", end

    def leftover(moment: Moment, order: Any) -> Any:
        position = case.place(moment)[1]
        before = order[(position - 1) * size : position * size] if position else moment.rows
        return np.concatenate([moment.rows, before[len(moment.rows) :]])

    yield "partial batch", f"{short}what the buffer still held", only_partial(leftover)
