"""Calls of JAX's losses, many in one program: a program for each takes far longer to compile than to judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from samestep.backends import losses
from tests.helpers.loss_bounds import Result


class Call(NamedTuple):
    """What `loss_and_gradient` takes."""

    name: str
    arrays: Sequence[Any]
    arguments: Mapping[str, Any]


def evaluated(calls: Sequence[Call]) -> list[Result]:
    """Value and gradients of each call: one program for those in float64, and one for the others."""
    results: list[Any] = [None] * len(calls)
    for wide in (False, True):
        places = [at for at, call in enumerate(calls) if (call.arrays[0].dtype == np.float64) is wide]
        for at, result in zip(places, in_one_program([calls[at] for at in places], wide=wide), strict=True):
            results[at] = result
    return results


def in_one_program(calls: Sequence[Call], *, wide: bool) -> list[Result]:
    """The same of calls that are all in float64, or none."""
    import jax

    from samestep.backends import jax_losses

    functions = [jax_losses.gradient_function(*call) for call in calls]
    unique: dict[Any, Any] = {}  # what calls have in common is compiled once for all of them
    keys = [[(a.dtype.name, a.shape, a.tobytes()) for a in call.arrays] for call in calls]
    for call, names in zip(calls, keys, strict=True):
        unique.update(zip(names, call.arrays, strict=True))

    def program(inputs: Mapping[Any, Any]) -> list[Any]:
        pairs = zip(functions, keys, strict=True)
        return [function(*(inputs[name] for name in names)) for function, names in pairs]

    with jax.enable_x64(wide):
        outputs = jax.jit(program)(unique) if calls else []
    return [result(call, *output) for call, output in zip(calls, outputs, strict=True)]


def result(call: Call, gradients: Sequence[Any], value: Any) -> Result:
    """As `loss_and_gradient` gives it."""
    keys = losses.get(call.name).gradients(call.arrays)
    return np.asarray(value), {key: np.asarray(g) for key, g in zip(keys, gradients, strict=True)}
