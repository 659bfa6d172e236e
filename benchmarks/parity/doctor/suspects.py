"""Ways to get loss and gradients wrong: the step played again with one ingredient changed.

Rows, targets, parameters, loss, layers. A suspect gives the loss and the flat gradient that it would have made at
a moment, or None where it cannot be played there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backends import losses, spec
from benchmarks.parity.doctor.case import Case, Moment, flat
from benchmarks.parity.reference import Arrays, Reference, activate, derivative
from benchmarks.parity.rounding import Array
from benchmarks.parity.verdicts import Cause
from benchmarks.parity.work import Host

Rows: TypeAlias = NDArray[np.int64] | None
Played: TypeAlias = tuple[Any, Array] | None
IDENTITY = spec.LeakyReLU(negative_slope=1.0)
ACTIVATIONS: tuple[spec.Layer, ...] = (
    spec.ReLU(),
    spec.LeakyReLU(),
    spec.LeakyReLU(negative_slope=0.2),
    spec.Sigmoid(),
    spec.Tanh(),
)


@dataclass(frozen=True, eq=False)
class Suspect:
    """One changed ingredient; `words` complete "the gradient is that of ..."."""

    cause: Cause
    words: str
    play: Callable[[Moment], Played]


def suspects(case: Case) -> Iterator[Suspect]:
    """All of them, the likeliest first."""
    yield from of_rows(case)
    yield from of_targets(case)
    yield from of_parameters(case)
    yield from of_losses(case)
    yield from of_layers(case)


# --- rows and targets -----------------------------------------------------------------------------------------


def of_rows(case: Case) -> Iterator[Suspect]:
    for cause, words, rows in other_rows(case):

        def play(moment: Moment, rows: Callable[[Moment], Rows] = rows) -> Played:
            found = rows(moment)
            if found is None or not len(found):
                return None
            return result(case, moment, case.work.x[found], case.work.y[found])

        yield Suspect(cause, words, play)


def of_targets(case: Case) -> Iterator[Suspect]:
    """The right features with other targets, and the other way round."""
    x, y = case.work.x, case.work.y
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
            return result(case, moment, x[np.repeat(moment.rows, n)], y[np.tile(moment.rows, n)])

        yield Suspect("labels", "every row against every target: (n, 1) against (n,) makes (n, n)", broadcast)
        sorted_ = lambda m: result(case, m, x[m.rows], np.sort(y[m.rows], axis=0))  # noqa: E731
        yield Suspect("labels", "targets sorted within the batch", sorted_)
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
    work, size, n = case.work, case.batch_size, len(case.work.x)
    epochs = len(work.orders)
    steps = len(work.rates[0])

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
            return cut(work.orders[epoch], position) if 0 <= epoch < epochs else None

        return rows

    def whole_batches(moment: Moment) -> Rows:
        epoch, position = divmod(moment.number - 1, max(1, n // size))
        return cut(work.orders[epoch], position) if n % size and n >= size and epoch < epochs else None

    yield "rows", "rows in their stored order", of(lambda epoch: np.arange(n))
    yield "rows", "rows of the first epoch's order again", of(lambda epoch: work.orders[0])
    yield "rows", "the order reversed", of(lambda epoch: work.orders[epoch][::-1])
    yield "partial batch", "an order whose last, partial batches are dropped", whole_batches
    yield "stale", "the batch of the step before", shifted(-1)
    yield "rows", "the batch of the step after", shifted(1)
    yield "rows", "the next epoch's order", of(lambda e: work.orders[e + 1] if e + 1 < epochs else None)
    yield "rows", "the order of the epoch before", of(lambda e: work.orders[max(0, e - 1)])
    yield "rows", "an epoch's batches last to first", batches_reversed(case)
    yield "rows", "the inverse of the order", of(lambda epoch: np.argsort(work.orders[epoch]))
    yield "rows", "the row after each", lambda m: (m.rows + 1) % n
    yield "rows", "the row before each", lambda m: (m.rows - 1) % n
    yield "rows", "the order shifted by one row", of(lambda epoch: np.roll(work.orders[epoch], -1))
    yield (
        "rows",
        f"every {steps}th row of the order",
        lambda m: work.orders[case.place(m)[0]][case.place(m)[1] :: steps],
    )
    yield "rows", "all rows at once", lambda m: np.arange(n)
    yield "rows", "the batch without its last row", lambda m: m.rows[:-1]
    yield "rows", "the batch without its first row", lambda m: m.rows[1:]
    yield "rows", "the first batch again and again", lambda m: work.orders[case.place(m)[0]][:size]
    for seed in {case.work.task.seed, case.work.task.seed + 1, 0, 1, 42}:
        for words, key in (("", lambda e, s=seed: s), (" plus the epoch", lambda e, s=seed: s + e)):
            draw = lambda epoch, key=key: np.random.default_rng(key(epoch)).permutation(n)  # noqa: E731
            yield "rows", f"a permutation from the seed {seed}{words} alone", of(draw)
    yield from filled_up(case)


def batches_reversed(case: Case) -> Callable[[Moment], Rows]:
    def rows(moment: Moment) -> Rows:
        epoch, position = case.place(moment)
        order, size, steps = case.work.orders[epoch], case.batch_size, len(case.work.rates[0])
        return order[(steps - 1 - position) * size : (steps - position) * size]

    return rows


def filled_up(case: Case) -> Iterator[tuple[Cause, str, Callable[[Moment], Rows]]]:
    """Partial batches that are made whole."""
    size = case.batch_size

    def only_partial(rows: Callable[[Moment, Any], Any]) -> Callable[[Moment], Rows]:
        def choose(moment: Moment) -> Rows:
            if not case.partial(moment):
                return moment.rows
            return np.asarray(rows(moment, case.work.orders[case.place(moment)[0]]))

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


# --- parameters -----------------------------------------------------------------------------------------------


def of_parameters(case: Case) -> Iterator[Suspect]:
    """The right batch at other parameters."""

    def at(choose: Callable[[Moment], Arrays | None]) -> Callable[[Moment], Played]:
        def play(moment: Moment) -> Played:
            before = choose(moment)
            x, y = case.work.x[moment.rows], case.work.y[moment.rows]
            return None if before is None else result(case, moment, x, y, before=before)

        return play

    def earlier(moment: Moment) -> Arrays | None:
        previous = case.before(moment)
        return previous.before if previous else moment.before if moment.first else None

    def ahead(moment: Moment) -> Arrays | None:
        if not case.reference.sgd.momentum or moment.first:
            return None
        step = moment.learning_rate * case.reference.sgd.momentum
        return {name: theta - step * moment.buffers[name] for name, theta in moment.before.items()}

    def without_biases(moment: Moment) -> Arrays:
        return {k: v * 0 if k.endswith("bias") else v for k, v in moment.before.items()}

    def transposed(moment: Moment) -> Arrays | None:
        turned = {k: v.T if v.ndim == 2 and v.shape[0] == v.shape[1] else v for k, v in moment.before.items()}
        return turned if any(turned[k] is not v for k, v in moment.before.items()) else None

    yield Suspect("stale", "the parameters of the step before", at(earlier))
    yield Suspect("stale", "the initial parameters", at(lambda m: case.reference.widen(case.work.start)))
    yield Suspect("nesterov", "the parameters momentum is about to reach", at(ahead))
    yield Suspect("left out", "a model whose biases are not added", at(without_biases))
    yield Suspect("transposed", "weights the other way round", transposed_play(case, transposed))

    def both(moment: Moment) -> Played:
        previous = case.before(moment)
        return None if previous is None else outcome(case.exact(previous))

    yield Suspect("stale", "the step before", both)


def transposed_play(case: Case, turn: Callable[[Moment], Arrays | None]) -> Callable[[Moment], Played]:
    """Played with turned weights, the gradients turned back."""

    def play(moment: Moment) -> Played:
        before = turn(moment)
        if before is None:
            return None
        step = case.play(moment, case.work.x[moment.rows], case.work.y[moment.rows], before=before)
        square = {k for k, v in moment.before.items() if v.ndim == 2 and v.shape[0] == v.shape[1]}
        back = {k: g.T if k in square else g for k, g in step.gradients.items()}
        return step.loss, flat(back)

    return play


# --- loss -----------------------------------------------------------------------------------------------------


def of_losses(case: Case) -> Iterator[Suspect]:
    """Another loss for the same targets, and the same one with another option."""
    declared = case.work.task.loss
    own = losses.get(declared.name)
    for name in losses.names():
        entry = losses.get(name)
        if not entry.trains or entry.target != own.target:
            continue
        for options in option_sets(declared, entry):
            made = spec.Loss.model_validate(
                {"name": name, "reduction": declared.reduction, "options": options}
            )
            if made != declared:
                said = ", ".join(f"{k} = {v}" for k, v in options.items() if not isinstance(v, tuple))
                yield Suspect("loss", f"{entry.torch_name}({said})", with_task(case, {"loss": made}))


def option_sets(declared: spec.Loss, entry: losses.LossSpec) -> Iterator[dict[str, Any]]:
    """Options of a loss: its defaults, the task's numbers under its own names, and those inverted."""
    given = {k: v for k, v in declared.arguments.items() if k != "reduction" and v is not None}
    shared = {k: v for k, v in given.items() if k in entry.options}
    yield shared
    for left_out in shared:
        yield {k: v for k, v in shared.items() if k != left_out}
    yield {}
    numbers = [v for v in given.values() if isinstance(v, float) and v > 0]
    for name, option in entry.options.items():
        for number in [value for v in numbers for value in (v, 1 / v, v * v)]:
            if isinstance(option.default, float) and option.valid(number):
                yield {**shared, name: number}


# --- layers ---------------------------------------------------------------------------------------------------


def of_layers(case: Case) -> Iterator[Suspect]:
    """Activations left out, exchanged or added; a backward pass that treats them wrongly. One, or all of them."""
    layers = case.work.task.layers
    places = [at for at, layer in enumerate(layers) if not isinstance(layer, spec.Linear)]
    for chosen in [[at] for at in places] + ([places] if len(places) > 1 else []):
        kind = layers[chosen[0]].kind + ("s" if len(chosen) > 1 else "")
        yield Suspect("activation", f"a model without its {kind}", exchanged(case, chosen, IDENTITY))
        for other in ACTIVATIONS:
            if other != layers[chosen[0]]:
                words = f"{described(other)} in the place of {kind}"
                yield Suspect("activation", words, exchanged(case, chosen, other))
        for words, slope in (*SLOPES.items(), *slopes_of_others()):
            play = with_reference(case, partial(Bent, case.work.task, chosen, slope))
            yield Suspect("activation", f"{kind} whose derivative is {words}", play)
    for other in (spec.Sigmoid(), spec.ReLU(), spec.Tanh()):
        words = f"a further {other.kind} at the end"
        yield Suspect("activation", words, with_task(case, {"layers": (*layers, other)}))
    turned = with_reference(case, partial(Turned, case.work.task))
    yield Suspect("transposed", "a backward pass through weights the other way round", turned)


def described(layer: spec.Layer) -> str:
    slope = getattr(layer, "negative_slope", None)
    return layer.kind if slope is None else f"{layer.kind} with slope {slope:g}"


def exchanged(case: Case, places: Sequence[int], other: spec.Layer) -> Callable[[Moment], Played]:
    layers = case.work.task.layers
    changed = tuple(other if at in places else layer for at, layer in enumerate(layers))
    return with_task(case, {"layers": changed})


Slope: TypeAlias = Callable[[spec.Layer, Array, Array, Any], Array]
SLOPES: Mapping[str, Slope] = {
    "left out": lambda layer, z, value, round_: np.ones_like(z),
    "taken at the output": lambda layer, z, value, round_: derivative(
        layer, value, activate(layer, value, round_), round_
    ),
    "taken from the input as if it were the output": lambda layer, z, value, round_: derivative(
        layer, z, z, round_
    ),
    "the value itself": lambda layer, z, value, round_: value,
    "one less the value": lambda layer, z, value, round_: 1 - value,
    "0 where the input is positive": lambda layer, z, value, round_: (z <= 0).astype(z.dtype),
}


def slopes_of_others() -> Iterator[tuple[str, Slope]]:
    """The derivative of another activation."""
    for other in ACTIVATIONS:

        def slope(layer: spec.Layer, z: Array, value: Array, round_: Any, other: spec.Layer = other) -> Array:
            return derivative(other, z, activate(other, z, round_), round_)

        yield f"that of {described(other)}", slope


class Bent(Reference):
    """A reference whose backward pass takes another slope at some activations."""

    def __init__(self, task: spec.Task, places: Sequence[int], slope: Slope) -> None:
        super().__init__(task)
        self.places, self.slope = places, slope

    def backward(self, params: Arrays, values: list[Array], delta: Array) -> tuple[list[Array], Arrays]:
        gradients, below = {}, delta
        for index in reversed(range(len(self.layers))):
            layer, a = self.layers[index], values[index]
            if isinstance(layer, spec.Linear):
                gradients[f"{index}.weight"] = a.T @ below
                gradients[f"{index}.bias"] = below.sum(axis=0)
                below = below @ self.upwards(params[f"{index}.weight"])
            else:
                slope = self.slope if index in self.places else derivative
                below = below * slope(layer, a, values[index + 1], self.round)
        return [delta], {name: gradients[name] for name in params}

    def upwards(self, weight: Array) -> Array:
        """What a delta passes through on its way up to the layer's input."""
        return weight.T


class Turned(Bent):
    """A reference whose backward pass goes through square weights the other way round."""

    def __init__(self, task: spec.Task) -> None:
        super().__init__(task, (), derivative)

    def upwards(self, weight: Array) -> Array:
        return weight if weight.shape[0] == weight.shape[1] else weight.T


def with_task(case: Case, update: Mapping[str, Any]) -> Callable[[Moment], Played]:
    return with_reference(case, lambda: Reference(case.work.task.model_copy(update=dict(update))))


def with_reference(case: Case, make: Callable[[], Reference]) -> Callable[[Moment], Played]:
    """Played by another reference, made when first needed; None where it does not fit the data."""
    made: list[Reference] = []

    def play(moment: Moment) -> Played:
        if not made:
            made.append(make())
        x, y = case.work.x[moment.rows], case.work.y[moment.rows]
        try:
            return outcome(case.play(moment, x, y, reference=made[0]))
        except (ValueError, IndexError, TypeError):
            return None

    return play


def result(case: Case, moment: Moment, x: Host, y: Host, *, before: Arrays | None = None) -> Played:
    return outcome(case.play(moment, x, y, before=before))


def outcome(step: Any) -> Played:
    return step.loss, flat(step.gradients)


def played(suspect: Suspect, moments: Sequence[Moment]) -> list[tuple[Any, Array]] | None:
    """What a suspect makes at some steps; None where it cannot be played at one of them."""
    found = []
    for moment in moments:
        each = suspect.play(moment)
        if each is None or not np.isfinite(each[1]).all():
            return None
        found.append(each)
    return found
