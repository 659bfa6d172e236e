"""Mistakes that the doctor was written with in mind, each a small patch of the NumPy backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from samestep.backends import numpy_backend, spec
from samestep.backends.interface import Batch, Host, RowOrder, Trace
from samestep.backends.numpy_backend import Floats, NumpyBackend, State
from samestep.backends.spec import Task
from validation.mutants import base
from validation.mutants.base import Mutant

Grads = dict[str, Host]


class Scaled(NumpyBackend):
    """Loss and gradient times a factor that depends on the batch."""

    def factor(self, state: State, rows: int) -> float:
        return 1.0

    def forward_backward(self, state: State, batch: Batch) -> tuple[Any, Grads]:
        loss, gradients = super().forward_backward(state, batch)
        factor = self.factor(state, len(batch[0]))
        scaled = {name: (factor * g).astype(g.dtype) for name, g in gradients.items()}
        return (factor * loss).astype(loss.dtype), scaled


class OneHalf(Scaled):
    def factor(self, state: State, rows: int) -> float:
        return 0.5


class Two(Scaled):
    def factor(self, state: State, rows: int) -> float:
        return 2.0


class SumForMean(Scaled):
    def factor(self, state: State, rows: int) -> float:
        return float(rows)


class MeanForSum(Scaled):
    def factor(self, state: State, rows: int) -> float:
        return 1 / rows


class TimesOption(Scaled):
    """Huber where SmoothL1 was meant: delta times as much."""

    def factor(self, state: State, rows: int) -> float:
        return 0.4


class OverOption(Scaled):
    def factor(self, state: State, rows: int) -> float:
        return 1 / 0.4


class ByNominalSize(Scaled):
    def factor(self, state: State, rows: int) -> float:
        return rows / base.BATCH


class Backward(NumpyBackend):
    """Gradients changed after the backward pass; the loss is right."""

    def changed(self, state: State, gradients: Grads) -> Grads:
        return gradients

    def forward_backward(self, state: State, batch: Batch) -> tuple[Any, Grads]:
        loss, gradients = super().forward_backward(state, batch)
        return loss, self.changed(state, gradients)


class GradientHalved(Backward):
    def changed(self, state: State, gradients: Grads) -> Grads:
        return {name: g * g.dtype.type(0.5) for name, g in gradients.items()}


class Transposed(Backward):
    def changed(self, state: State, gradients: Grads) -> Grads:
        return gradients | {"0.weight": np.ascontiguousarray(gradients["0.weight"].T)}


class BiasLeftOut(Backward):
    def changed(self, state: State, gradients: Grads) -> Grads:
        return gradients | {"0.bias": np.zeros_like(gradients["0.bias"])}


class Stale(Backward):
    """The gradient of the step before."""

    def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, Any]:
        loss, gradients = self.forward_backward(state, batch)
        kept = self.__dict__.pop("kept", gradients)
        self.kept = gradients
        return self.update(state, kept, learning_rate), loss

    def init(self, task: Task, params: Any = None, buffers: Any = None) -> State:
        self.__dict__.pop("kept", None)
        return super().init(task, params, buffers)


class NotCleared(Backward):
    """Gradients add up from step to step, as without zero_grad."""

    total: Grads

    def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, Any]:
        loss, gradients = self.forward_backward(state, batch)
        self.total = {k: self.total[k] + g for k, g in gradients.items()} if self.total else gradients
        return self.update(state, self.total, learning_rate), loss

    def init(self, task: Task, params: Any = None, buffers: Any = None) -> State:
        self.total = {}
        return super().init(task, params, buffers)


class OtherRows(NumpyBackend):
    """The order as given is not the order that is taken."""

    def order(self, order: RowOrder) -> RowOrder:
        return np.arange(len(order))

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        return super().batches(data, self.order(order), batch_size)


class Backwards(OtherRows):
    def order(self, order: RowOrder) -> RowOrder:
        return order[::-1]


class OffByOne(OtherRows):
    def order(self, order: RowOrder) -> RowOrder:
        return (order + 1) % len(order)


class LabelsByPosition(NumpyBackend):
    """Features are shuffled, labels are not."""

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield data[0][rows], data[1][start : start + batch_size]


class LabelsRolled(NumpyBackend):
    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        for x, y in super().batches(data, order, batch_size):
            yield x, np.roll(y, 1, axis=0)


class PartialDropped(NumpyBackend):
    """The last batch changes nothing."""

    def step(self, state: State, batch: Batch, learning_rate: float) -> tuple[State, Any]:
        return super().step(state, batch, learning_rate if len(batch[0]) == base.BATCH else 0.0)


class PartialMissing(NumpyBackend):
    """The iterator stops before the partial batch."""

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        return super().batches(data, order[: len(order) // batch_size * batch_size], batch_size)


class PartialFilled(NumpyBackend):
    """The partial batch is filled up from the start of the order."""

    def batches(self, data: Batch, order: RowOrder, batch_size: int) -> Iterator[Batch]:
        short = -len(order) % batch_size
        return super().batches(data, np.concatenate([order, order[:short]]), batch_size)


class OptionOff(NumpyBackend):
    """The loss without its option."""

    def loss(self, declared: spec.Loss) -> Any:
        return super().loss(declared.model_copy(update={"options": ()}))


class Optimizer(NumpyBackend):
    """An optimizer of the mutant's own."""

    sgd: type[numpy_backend.SGD] = numpy_backend.SGD

    def optimizer(self, options: spec.SGD, params: Mapping[str, Floats], buffers: Any) -> numpy_backend.SGD:
        return self.sgd(options, params, buffers)


class BiasNotUpdated(Optimizer):
    class sgd(numpy_backend.SGD):
        def step(self, params: Any, gradients: Any, learning_rate: float) -> None:
            super().step({k: v for k, v in params.items() if "bias" not in k}, gradients, learning_rate)


class FirstStepDampened(Optimizer):
    class sgd(numpy_backend.SGD):
        def step(self, params: Any, gradients: Any, learning_rate: float) -> None:
            self.started = True
            super().step(params, gradients, learning_rate)


def changed(**update: Any) -> type[Optimizer]:
    """An optimizer that takes one option for another."""

    class Changed(Optimizer):
        def optimizer(self, options: spec.SGD, params: Any, buffers: Any) -> numpy_backend.SGD:
            return super().optimizer(options.model_copy(update=update), params, buffers)

    return Changed


class DecayAfterRate(Optimizer):
    class sgd(numpy_backend.SGD):
        def step(self, params: Any, gradients: Any, learning_rate: float) -> None:
            decay, self.options = (
                self.options.weight_decay,
                self.options.model_copy(update={"weight_decay": 0.0}),
            )
            before = {name: theta.copy() for name, theta in params.items()}
            super().step(params, gradients, learning_rate)
            for name, theta in params.items():
                theta -= decay * before[name]
            self.options = self.options.model_copy(update={"weight_decay": decay})


class RateInBuffer(Optimizer):
    class sgd(numpy_backend.SGD):
        def step(self, params: Any, gradients: Any, learning_rate: float) -> None:
            for name, theta in params.items():
                b = self.buffers[name]
                b[...] = self.options.momentum * b + learning_rate * gradients[name]
                theta -= b


class Uphill(Optimizer):
    class sgd(numpy_backend.SGD):
        def direction(self, name: str, theta: Floats, g: Floats) -> Floats:
            return -super().direction(name, theta, g)


class RateHalved(Optimizer):
    class sgd(numpy_backend.SGD):
        def step(self, params: Any, gradients: Any, learning_rate: float) -> None:
            super().step(params, gradients, learning_rate / 2)


class Scheduled(NumpyBackend):
    """Other learning rates than those given."""

    def rates(self, rates: Host) -> Host:
        return rates

    def steps(self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        return super().steps(state, data, order, batch_size, self.rates(learning_rates))


class RateOneLate(Scheduled):
    def rates(self, rates: Host) -> Host:
        return np.concatenate([rates[:1], rates[:-1]])


class RateByEpoch(Scheduled):
    def rates(self, rates: Host) -> Host:
        return np.full_like(rates, rates[0])


class RateRounded(Scheduled):
    """A rate that has been through float32, in a float64 task."""

    def rates(self, rates: Host) -> Host:
        return rates.astype(np.float32).astype(rates.dtype)


class CutLinear(numpy_backend.Linear):
    """A layer whose input loses its last bits."""

    bits = 11

    def forward(self, x: Floats) -> Floats:
        fraction, exponent = np.frexp(x)
        cut: Floats = np.ldexp(np.round(fraction * 2**self.bits) / 2**self.bits, exponent).astype(x.dtype)
        return super().forward(cut)


class Coarser(CutLinear):
    bits = 8


class Cut(NumpyBackend):
    """Layers of the mutant's own."""

    linear: type[numpy_backend.Linear] = CutLinear

    def layer(self, index: int, layer: spec.Layer, values: Mapping[str, Host]) -> Any:
        if not isinstance(layer, spec.Linear):
            return super().layer(index, layer, values)
        return self.linear(values[f"{index}.weight"], values[f"{index}.bias"])


class Bfloat16(Cut):
    linear = Coarser


class SingleInside(NumpyBackend):
    """float32 arithmetic in a float64 task."""

    def forward_backward(self, state: State, batch: Batch) -> tuple[Any, Grads]:
        loss, gradients = super().forward_backward(state, batch)
        return loss, {k: g.astype(np.float32).astype(g.dtype) for k, g in gradients.items()}


class DoubleThroughout(NumpyBackend):
    """float64 arrays in a float32 task."""

    def put(self, array: Host) -> Host:
        return array.astype(np.float64) if array.dtype.kind == "f" else array

    def init(self, task: Task, params: Any = None, buffers: Any = None) -> State:
        return super().init(task, {k: v.astype(np.float64) for k, v in params.items()}, buffers)


class OwnStart(NumpyBackend):
    """The given start is ignored."""

    def init(self, task: Task, params: Any = None, buffers: Any = None) -> State:
        return super().init(task.model_copy(update={"seed": 7}), None, buffers)


class FlatTanh(numpy_backend.Tanh):
    def slope(self, x: Floats, z: Floats) -> Any:
        return np.ones_like(x)


class NoDerivative(NumpyBackend):
    """The backward pass forgets the activation."""

    def layer(self, index: int, layer: spec.Layer, values: Mapping[str, Host]) -> Any:
        return FlatTanh() if isinstance(layer, spec.Tanh) else super().layer(index, layer, values)


class OtherProgram(NumpyBackend):
    """What is timed leaves the partial batch out; what is traced does not."""

    def epoch(self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        whole = len(order) // batch_size
        return super().epoch(state, data, order[: whole * batch_size], batch_size, learning_rates[:whole])


class WrongPrediction(NumpyBackend):
    def predict(self, state: State, x: Host) -> Host:
        halved: Host = super().predict(state, x) * x.dtype.type(0.5)
        return halved


class Raises(NumpyBackend):
    def update(self, state: State, gradients: Mapping[str, Host], learning_rate: float) -> State:
        raise RuntimeError("no such kernel")


class WrongShape(NumpyBackend):
    def params(self, state: State) -> Grads:
        return {name: value.T for name, value in super().params(state).items()}


class NotANumber(NumpyBackend):
    def update(self, state: State, gradients: Mapping[str, Host], learning_rate: float) -> State:
        return super().update(state, {name: g * np.nan for name, g in gradients.items()}, learning_rate)


class FirstOrderAgain(NumpyBackend):
    """The first epoch's order is used again in every epoch."""

    def steps(self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host) -> Any:
        self.kept = getattr(self, "kept", order)
        return super().steps(state, data, self.kept, batch_size, learning_rates)

    def trace(
        self, state: Any, data: Batch, order: RowOrder, batch_size: int, learning_rates: Host
    ) -> tuple[Any, Trace]:
        self.kept = getattr(self, "kept", order)
        return super().trace(state, data, self.kept, batch_size, learning_rates)


FORESEEN: Sequence[Mutant] = (
    Mutant("one half of the loss, as optax.l2_loss", "scale", OneHalf, base.PLAIN, "one half"),
    Mutant("twice the loss", "scale", Two, base.PLAIN, "two"),
    Mutant("a sum in the place of a mean", "scale", SumForMean, base.PLAIN, "sum"),
    Mutant("a mean in the place of a sum", "scale", MeanForSum, base.SUMMED, "mean"),
    Mutant("SmoothL1 scaled by beta", "scale", TimesOption, base.SMOOTH, "beta"),
    Mutant("Huber divided by delta", "scale", OverOption, base.HUBER, "delta"),
    Mutant("one half in the gradient alone", "scale", GradientHalved, base.PLAIN, "one half"),
    Mutant(
        "the partial batch divided by the nominal size", "partial batch", ByNominalSize, base.PLAIN, "nominal"
    ),
    Mutant("the partial batch changes nothing", "partial batch", PartialDropped, base.PLAIN),
    Mutant("the iterator drops the partial batch", "partial batch", PartialMissing, base.PLAIN, "drop"),
    Mutant("the partial batch is filled up", "partial batch", PartialFilled, base.PLAIN, "filled"),
    Mutant("the weight's gradient is transposed", "transposed", Transposed, base.CHAIN),
    Mutant("the gradient of the step before", "stale", Stale, base.PLAIN),
    Mutant("gradients are not cleared", "stale", NotCleared, base.PLAIN),
    Mutant("rows are not shuffled", "rows", OtherRows, base.PLAIN, "stored order"),
    Mutant("the order is taken backwards", "rows", Backwards, base.PLAIN, "reversed"),
    Mutant("row numbers are off by one", "rows", OffByOne, base.PLAIN, "row after"),
    Mutant("the first epoch's order in every epoch", "rows", FirstOrderAgain, base.PLAIN, "first epoch"),
    Mutant("labels are not shuffled along", "labels", LabelsByPosition, base.PLAIN),
    Mutant("labels are one row late", "labels", LabelsRolled, base.PLAIN),
    Mutant("Huber's delta is left at 1", "loss", OptionOff, base.HUBER),
    Mutant("label smoothing is left out", "loss", OptionOff, base.DIGITS),
    Mutant("the bias has no gradient", "left out", BiasLeftOut, base.PLAIN, "0.bias"),
    Mutant("the bias is not updated", "left out", BiasNotUpdated, base.PLAIN, "0.bias"),
    Mutant("an activation's derivative is left out", "activation", NoDerivative, base.TANH),
    Mutant("the first step is dampened", "dampening", FirstStepDampened, base.DAMPENED),
    Mutant("dampening is left out", "dampening", changed(dampening=0.0), base.DAMPENED),
    Mutant("Nesterov is left out", "nesterov", changed(nesterov=False), base.NESTEROV),
    Mutant("Nesterov is added", "nesterov", changed(nesterov=True), base.MOMENTUM),
    Mutant("another momentum", "momentum", changed(momentum=0.5), base.MOMENTUM, "0.5"),
    Mutant("the learning rate is inside the buffer", "momentum", RateInBuffer, base.MOMENTUM),
    Mutant("weight decay is left out", "weight decay", changed(weight_decay=0.0), base.DECAY),
    Mutant("weight decay after the learning rate", "weight decay", DecayAfterRate, base.DECAY, "after"),
    Mutant("maximise is left out", "sign", changed(maximize=False), base.MAXIMIZE),
    Mutant("uphill", "sign", Uphill, base.PLAIN),
    Mutant("half the learning rate", "learning rate", RateHalved, base.PLAIN, "one half"),
    Mutant("the schedule is one step late", "learning rate", RateOneLate, base.COSINE),
    Mutant("the schedule moves once an epoch", "learning rate", RateByEpoch, base.COSINE),
    Mutant("the rate has been through float32", "learning rate", RateRounded, base.COSINE),
    Mutant("inputs cut to 11 bits", "precision", Cut, base.PLAIN, "11 bits"),
    Mutant("inputs cut to 8 bits", "precision", Bfloat16, base.PLAIN, "8 bits"),
    Mutant("float32 gradients inside a float64 task", "precision", SingleInside, base.PLAIN, "float32"),
    Mutant("float64 throughout", "dtype", DoubleThroughout, base.PLAIN, "float64"),
    Mutant("another start", "start", OwnStart, base.PLAIN),
    Mutant(
        "the timed program leaves the partial batch out", "timed program", OtherProgram, base.PLAIN, "partial"
    ),
    Mutant("predictions are halved", "prediction", WrongPrediction, base.PLAIN),
    Mutant("an exception", "error", Raises, base.PLAIN),
    Mutant("shapes are turned", "shape", WrongShape, base.PLAIN),
    Mutant("not a number", "unknown", NotANumber, base.PLAIN),
)
