"""Update rules that people write for the task's optimizer: each as a function from one state to the next.

g is the gradient, theta the parameters before, b the momentum buffer, h the learning rate, mu the momentum and
lambda the weight decay. What a rule gives is the buffer and the direction, (theta - theta_next) / h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from ...record.proof import Cause
from ..reference import Array
from .case import Case, StepSnapshot, flat, split_tensors
from .observations import buffer_at_start
from .precision import cut

Decay: TypeAlias = Literal["in the gradient", "beside the buffer", "not times the rate"]


class UpdateInput(NamedTuple):
    """What a rule takes in at one step; `gradient_at` gives the gradient at other parameters."""

    gradient: Array
    theta: Array
    rate: Any
    number: int
    first: bool
    new_epoch: bool
    partial: bool
    gradient_at: Callable[[Array], Array]


Rule: TypeAlias = Callable[
    [Any, UpdateInput], tuple[Any, Array]
]  # state and input to the next state and direction


@dataclass(frozen=True)
class MomentumRule:
    """SGD as the task declares it, with one thing changed."""

    momentum: Any
    dampening: Any
    weight_decay: Any
    sign: int
    nesterov: bool
    first_gain: Any = 1.0
    decay: Decay = "in the gradient"
    rate_in_buffer: bool = False
    uses_buffer_before: bool = False
    looks_ahead: bool = False
    look_ahead: Any = None  # how many times the buffer Nesterov's direction adds, if not the momentum
    each_epoch_anew: bool = False

    def __call__(self, buffer: Array | None, given: UpdateInput) -> tuple[Array | None, Array]:
        """The next buffer and the direction."""
        rate = given.rate
        if buffer is None or (self.each_epoch_anew and given.new_epoch):
            buffer = None
        gradient = given.gradient
        if self.looks_ahead and buffer is not None:
            gradient = given.gradient_at(given.theta - rate * self.momentum * buffer)
        decay = self.weight_decay * given.theta
        g = self.sign * gradient + (decay if self.decay == "in the gradient" else 0)
        g = g * rate if self.rate_in_buffer else g
        if not self.momentum:
            after, direction = None, g
        else:
            after = (
                self.first_gain * g if buffer is None else self.momentum * buffer + (1 - self.dampening) * g
            )
            ahead = self.momentum if self.look_ahead is None else self.look_ahead
            direction = g + ahead * after if self.nesterov else after
            if self.uses_buffer_before:
                direction = g * 0 if buffer is None else buffer
        if self.rate_in_buffer:
            direction = direction / rate
        if self.decay == "beside the buffer":
            direction = direction + decay
        elif self.decay == "not times the rate":
            direction = direction + decay / rate
        return after, direction


def declared_rule(case: Case) -> MomentumRule:
    """The task's own rule."""
    c = case.reference.sgd
    return MomentumRule(c.momentum, c.dampening, c.weight_decay, c.sign, c.nesterov)


def run_rule(case: Case, rule: Rule, *, own_state: bool = False) -> dict[int, tuple[Any, Array]]:
    """Buffer and direction of a rule at every snapshot, from the recorded parameters and the right gradients.

    Buffers are the rule's own, from the first snapshot on. Where they were recorded each step begins with those,
    unless the rule's state is of another kind (`own_state`).
    """
    results: dict[int, tuple[Any, Array]] = {}
    state: Any = None
    for index, snapshot in enumerate(case.snapshots):
        if snapshot.start.first:
            state = None
        elif not own_state and (not index or "buffers" in snapshot.recorded):
            state = buffer_at_start(snapshot) if case.reference.sgd.momentum else None
        with np.errstate(all="ignore"):
            state, direction = rule(state, update_input(case, snapshot))
        results[snapshot.number] = state, direction
    return results


def update_input(case: Case, snapshot: StepSnapshot) -> UpdateInput:
    """What a rule takes in at a step."""

    def gradient_at(theta: Array) -> Array:
        shapes = case.workload.task.parameters
        params = split_tensors(theta, shapes)
        return flat(case.play_step(snapshot, *case.batch(snapshot), params=params).gradients)

    return UpdateInput(
        gradient=flat(case.exact(snapshot).gradients),
        theta=flat(snapshot.start.params),
        rate=case.reference.wide(snapshot.learning_rate),
        number=snapshot.number,
        first=snapshot.start.first,
        new_epoch=case.position(snapshot)[1] == 0,
        partial=case.is_partial(snapshot),
        gradient_at=gradient_at,
    )


# --- rules with one thing changed -----------------------------------------------------------------------------


def other_rules(case: Case) -> Iterator[tuple[Cause, str, Rule]]:
    """Rules with a mistake that needs no number but the task's own."""
    right = declared_rule(case)
    yield (
        "sign",
        "the step goes the other way",
        replace(right, sign=-right.sign, weight_decay=-right.weight_decay),
    )
    if right.weight_decay:
        yield "sign", "the gradient has the other sign", replace(right, sign=-right.sign)
    yield "partial batch", "the partial batch is left out", without_partial(right)
    if right.momentum:
        yield from momentum_rules(case, right)
    if right.weight_decay:
        yield from decay_rules(right)


def momentum_rules(case: Case, right: MomentumRule) -> Iterator[tuple[Cause, str, Rule]]:
    """What people do to momentum."""
    mu = right.momentum
    yield "momentum", "momentum is left out", replace(right, momentum=0.0, nesterov=False)
    if right.nesterov:
        yield (
            "nesterov",
            "plain momentum, without the look ahead of Nesterov's",
            replace(right, nesterov=False),
        )
    elif not right.dampening:
        yield "nesterov", "it looks ahead, as Nesterov's does", replace(right, nesterov=True)
    ahead = "Nesterov's momentum as Sutskever wrote it: the gradient is taken at the point ahead"
    yield "nesterov", ahead, replace(right, nesterov=False, dampening=0.0, looks_ahead=True)
    if right.dampening:
        yield "dampening", "dampening is left out", replace(right, dampening=0.0)
    dampened = "the first step is dampened already"
    if right.dampening:
        yield "dampening", dampened, replace(right, first_gain=1 - right.dampening)
    if right.dampening != mu:
        added = "a dampening of 1 - momentum is added"
        yield "dampening", added, replace(right, dampening=mu)
    average = "an average in the place of momentum: momentum against 1 - momentum, from step 1 on"
    yield "dampening", average, replace(right, dampening=mu, first_gain=1 - mu)
    yield "momentum", "a bias-corrected average in the place of momentum", corrected_average(right)
    inside = "the learning rate is inside the buffer: a gradient enters times its rate"
    yield "momentum", inside, replace(right, rate_in_buffer=True)
    yield "momentum", "the step takes the buffer as it was before", replace(right, uses_buffer_before=True)
    yield "momentum", "the buffer is begun anew in every epoch", replace(right, each_epoch_anew=True)
    if right.dampening or right.nesterov:  # else it is the same as none
        yield "momentum", "the buffer is not kept: each step begins with zeros", no_memory(right)
    yield "momentum", "parameters of one shape share a buffer", shared_buffers(case, right)
    yield (
        "nesterov",
        "Nesterov's look ahead has the buffer in the place of the gradient: b + momentum b",
        ahead_of_buffer(right),
    )
    for name, bits in (("float32", 24), ("float16", 11), ("bfloat16", 8)):
        if bits < np.finfo(case.reference.dtype).nmant + 1:
            yield "precision", f"the momentum buffer is kept in {name}", narrow_buffer(right, bits)


def without_partial(right: MomentumRule) -> Rule:
    """Nothing moves on a partial batch, the buffer neither."""
    return lambda buffer, given: (buffer, given.theta * 0) if given.partial else right(buffer, given)


def no_memory(right: MomentumRule) -> Rule:
    """The buffer is made anew at each step by the rule of later steps, from zeros."""
    return lambda buffer, given: right(given.theta * 0, given)


def shared_buffers(case: Case, right: MomentumRule) -> Rule:
    """Buffers that are kept by shape: each parameter goes on from that of the one before it of its shape."""
    shapes = case.workload.task.parameters

    def rule(state: Any, given: UpdateInput) -> tuple[Any, Array]:
        buffers = dict(state) if isinstance(state, dict) else {}
        gradients, theta = split_tensors(given.gradient, shapes), split_tensors(given.theta, shapes)
        directions = {}
        for name, shape in shapes.items():
            part = given._replace(gradient=gradients[name], theta=theta[name])
            buffers[shape], directions[name] = right(buffers.get(shape), part)
        return buffers, flat(directions)

    return rule


def ahead_of_buffer(right: MomentumRule) -> Rule:
    """Nesterov's look ahead with the buffer in the gradient's place: d = b + mu b."""

    def rule(buffer: Any, given: UpdateInput) -> tuple[Any, Array]:
        buffer, _ = replace(right, nesterov=False)(buffer, given)
        return buffer, buffer + right.momentum * buffer

    return rule


def narrow_buffer(right: MomentumRule, bits: int) -> Rule:
    """The buffer is rounded to so many bits before it is used and kept."""

    def rule(buffer: Any, given: UpdateInput) -> tuple[Any, Array]:
        buffer, direction = right(buffer, given)
        rounded = cut(buffer, bits)
        return rounded, direction + (rounded - buffer) * (right.momentum if right.nesterov else 1)

    return rule


def corrected_average(right: MomentumRule) -> Rule:
    """Adam's correction: the average over 1 - momentum^t."""
    inner = replace(right, dampening=right.momentum, first_gain=1 - right.momentum, nesterov=False)

    def rule(buffer: Any, given: UpdateInput) -> tuple[Any, Array]:
        buffer, direction = inner(buffer, given)
        return buffer, direction / (1 - right.momentum**given.number)

    return rule


def decay_rules(right: MomentumRule) -> Iterator[tuple[Cause, str, Rule]]:
    """What people do to weight decay."""
    decay = right.weight_decay
    yield "weight decay", "weight decay is left out", replace(right, weight_decay=0.0)
    yield "weight decay", "weight decay has the other sign", replace(right, weight_decay=-decay)
    yield "weight decay", "weight decay is applied twice", replace(right, weight_decay=2 * decay)
    yield "weight decay", "weight decay is halved", replace(right, weight_decay=decay / 2)
    yield (
        "weight decay",
        "the square of weight decay stands for it",
        replace(right, weight_decay=decay * decay),
    )
    beside = "weight decay is decoupled: beside the momentum buffer instead of in it"
    if right.momentum:
        yield "weight decay", beside, replace(right, decay="beside the buffer")
    after = "weight decay is applied after the learning rate, not multiplied by it"
    yield "weight decay", after, replace(right, decay="not times the rate")
    yield (
        "weight decay",
        f"{after}, and with the other sign",
        replace(right, decay="not times the rate", weight_decay=-decay),
    )
    yield "weight decay", "weight decay is multiplied by the learning rate twice", rated_decay(right)
    yield "weight decay", "the signs of the parameters are decayed by", sign_decay(right)


def rated_decay(right: MomentumRule) -> Rule:
    """lambda h theta in the gradient."""
    return lambda buffer, given: replace(right, weight_decay=right.weight_decay * given.rate)(buffer, given)


def sign_decay(right: MomentumRule) -> Rule:
    """lambda sign(theta) in the gradient: an L1 penalty."""

    def rule(buffer: Any, given: UpdateInput) -> tuple[Any, Array]:
        penalty = right.sign * right.weight_decay * np.sign(given.theta)
        return replace(right, weight_decay=0.0)(buffer, given._replace(gradient=given.gradient + penalty))

    return rule


# --- other optimizers -----------------------------------------------------------------------------------------


def other_optimizers(case: Case) -> Iterator[tuple[Cause, str, Rule]]:
    """Well-known optimizers with their usual numbers, in the place of the task's."""
    if not case.snapshots[0].start.first:
        return  # what such an optimizer has in mind by then is not known
    sign = case.reference.sgd.sign

    def adam(state: Any, given: UpdateInput, *, bias_corrected: bool = True) -> tuple[Any, Array]:
        m, v = (given.theta * 0, given.theta * 0) if given.first or state is None else state
        g = sign * given.gradient
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        a, b = (1 - 0.9**given.number, 1 - 0.999**given.number) if bias_corrected else (1, 1)
        return (m, v), (m / a) / (np.sqrt(v / b) + 1e-8)

    def rmsprop(decay: float) -> Rule:
        def rule(state: Any, given: UpdateInput) -> tuple[Any, Array]:
            v = given.theta * 0 if given.first or state is None else state
            v = decay * v + (1 - decay) * given.gradient**2
            return v, sign * given.gradient / (np.sqrt(v) + 1e-8)

        return rule

    def adagrad(state: Any, given: UpdateInput) -> tuple[Any, Array]:
        v = (given.theta * 0 if given.first or state is None else state) + given.gradient**2
        return v, sign * given.gradient / (np.sqrt(v) + 1e-10)

    def signs(state: Any, given: UpdateInput) -> tuple[Any, Array]:
        return None, sign * np.sign(given.gradient)

    def normalized(state: Any, given: UpdateInput) -> tuple[Any, Array]:
        return None, sign * given.gradient / np.sqrt(np.square(given.gradient).sum())

    lead = "in the place of SGD"
    yield "optimizer", f"Adam (0.9, 0.999, 1e-8) {lead}", adam
    uncorrected = f"Adam (0.9, 0.999, 1e-8) without its bias correction {lead}"
    yield "optimizer", uncorrected, lambda state, given: adam(state, given, bias_corrected=False)
    for decay in (0.9, 0.99):
        yield "optimizer", f"RMSprop ({decay}, 1e-8) {lead}", rmsprop(decay)
    yield "optimizer", f"Adagrad {lead}", adagrad
    yield "optimizer", f"the signs of the gradient {lead}", signs
    yield "optimizer", f"the gradient over its norm {lead}", normalized
