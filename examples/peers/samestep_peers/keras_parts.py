"""What the lanes of Keras are made of: Keras on one backend, its layers, its losses, and what a fit tells."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, TypeAlias, assert_never

from samestep.backends import spec
from samestep.backends.interface import Unavailable

Function: TypeAlias = Callable[[Any, Any], Any]  # of target and prediction
LAST = "last_loss"
NO_FOLDER = os.path.join(
    os.devnull, "keras"
)  # so that Keras neither reads nor writes settings in a home folder

# --- Keras itself ---------------------------------------------------------------------------------


@contextmanager
def keras_variables(backend: str) -> Iterator[None]:
    """The variables that Keras reads while it is imported; afterwards the environment is as it was."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ.update(KERAS_BACKEND=backend, KERAS_HOME=NO_FOLDER)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def other_backend(backend: str) -> str | None:
    """Why Keras cannot run on a backend in this process; None when it can."""
    keras = sys.modules.get("keras")
    active = keras.config.backend() if keras else backend
    return None if active == backend else f"Keras runs on {active} here: {backend} needs a process of its own"


def keras_on(backend: str) -> Any:
    """Keras on a backend; the first call imports it.

    Raises:
        Unavailable: it runs on another one in this process.
    """
    if reason := other_backend(backend):
        raise Unavailable(reason)
    with keras_variables(backend):
        import keras
    return keras


# --- model ----------------------------------------------------------------------------------------


def build_layer(keras: Any, layer: spec.Layer) -> Any:
    """One layer, by its class in keras.layers."""
    match layer:
        case spec.Linear(out_features=size):
            return keras.layers.Dense(size)
        case spec.LeakyReLU(negative_slope=slope):
            return keras.layers.LeakyReLU(negative_slope=slope)
        case spec.ReLU() | spec.Sigmoid() | spec.Tanh():
            return keras.layers.Activation(layer.kind)
        case _:
            assert_never(layer)


# --- loss -----------------------------------------------------------------------------------------


OPTIONS = {  # of each loss those that can be given
    "mse": (),
    "l1": (),
    "huber": ("delta",),
    "smooth_l1": ("beta",),
    "cross_entropy": (),
    "bce_with_logits": (),
}


def loss_function(keras: Any, loss: spec.Loss) -> Function:
    """The loss of a batch as a function, as Keras's guide writes losses of one's own.

    Those in keras.losses round float64 to float32 on their way (Keras 3.15: in the mean on both backends, in the
    division by the number of rows on PyTorch), so that no proof in float64 would be one of them.
    """

    def mean(target: Any, prediction: Any) -> Any:
        values = element(target, prediction)
        return keras.ops.sum(values) / prod(values.shape)

    element = element_loss(keras.ops, loss.name, dict(loss.options))
    return mean


def element_loss(ops: Any, name: str, options: dict[str, Any]) -> Function:
    """The loss of each element, or of each row, of a target and a prediction."""
    match name:
        case "mse":
            return lambda target, prediction: ops.square(prediction - target)
        case "l1":
            return lambda target, prediction: ops.absolute(prediction - target)
        case "huber":
            return huber(ops, options.get("delta", 1.0))
        case "smooth_l1":
            beta = options.get("beta", 1.0)
            return huber(ops, beta, beta)
        case "bce_with_logits":
            return lambda target, logit: ops.binary_crossentropy(target, logit, from_logits=True)
        case "cross_entropy":
            return lambda target, logit: ops.sparse_categorical_crossentropy(target, logit, from_logits=True)
    raise ValueError(f"Keras has no {name} here")


def huber(ops: Any, delta: float, divisor: float = 1.0) -> Function:
    """e^2 / 2 where |e| <= delta, else delta (|e| - delta/2); over a divisor."""

    def loss(target: Any, prediction: Any) -> Any:
        e = ops.absolute(prediction - target)
        return ops.where(e <= delta, 0.5 * e * e, delta * (e - 0.5 * delta)) / divisor

    return loss


def last_loss(keras: Any, loss: Function) -> Any:
    """A metric that is the loss of the last batch: the one that Keras shows is the mean of an epoch so far."""

    class LastLoss(keras.metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name=LAST)
            self.last = self.add_weight(shape=(), initializer="zeros", name="last")

        def update_state(self, target: Any, prediction: Any, sample_weight: Any = None) -> None:
            self.last.assign(loss(target, prediction))

        def result(self) -> Any:
            return self.last.value

    return LastLoss()


# --- what a fit tells ----------------------------------------------------------------------------


def after_steps(keras: Any, act: Callable[[dict[str, Any]], None]) -> Any:
    """A callback that acts on what Keras logs after every step."""

    class AfterSteps(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            act(logs)

    return AfterSteps()
