"""Runs the lines of the phrase book: which names they may use, and what their values are."""

from __future__ import annotations

import ast
import importlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.backends import losses

from ..lesson.loss_table import example
from .phrases import Phrase
from .trap import Trap

Names = dict[str, Any]
STEPS, RATES = 3, 6
WEIGHT = (0.5, 1.0, 2.0)

IMPORTS: Mapping[str, tuple[str, ...]] = {
    "numpy": (
        "import numpy as np",
        "from scipy.stats import truncnorm",
        "from samestep.backends import gains, numpy_losses",
    ),
    "torch": (
        "import numpy as np",
        "import torch",
        "from torch import nn",
        "from torch.utils.data import DataLoader, TensorDataset",
    ),
    "jax": (
        "import numpy as np",
        "import jax",
        "import jax.numpy as jnp",
        "import optax",
        "from flax import nnx",
        "from jax.nn import initializers",
        "from samestep.backends import gains, jax_backend",
    ),
}


def names(framework: str) -> Names:
    """The imports, x (7, 3), y (7, 1), order (7,), w (3, 2), b (2,), and where random numbers come from."""
    found: Names = {}
    exec("\n".join(IMPORTS[framework]), found)
    draw = np.random.default_rng(0)
    shapes = {"x": (7, 3), "y": (7, 1), "w": (3, 2), "b": (2,)}
    arrays = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    found |= {name: native(framework, array) for name, array in arrays.items()}
    found["order"] = native(framework, draw.permutation(7))
    match framework:
        case "numpy":
            found["rng"] = np.random.default_rng(0)
        case "torch":
            found["torch"].manual_seed(0)
        case "jax":
            found["key"] = found["jax"].random.key(0)
    return found


def native(framework: str, array: NDArray[Any]) -> Any:
    """An array of the framework with the same values."""
    match framework:
        case "torch":
            return importlib.import_module("torch").tensor(array)
        case "jax":
            return importlib.import_module("jax").numpy.asarray(array)
        case _:
            return array.copy()


def evaluate(code: str, given: Names) -> Any:
    """Run statements; the value of the last, which is an expression. `given` keeps what they define."""
    tree = ast.parse(code)
    last = tree.body.pop()
    if not isinstance(last, ast.Expr):
        raise ValueError(f"the last line is no expression: {code}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some traps are warned of, which is not what is shown
        exec(compile(tree, "<rosetta>", "exec"), given)
        return eval(compile(ast.Expression(last.value), "<rosetta>", "eval"), given)


def inputs(loss: str) -> dict[str, NDArray[Any]]:
    """A loss's example by the names of its inputs; for its options a weight for each class, and probabilities."""
    spec = losses.get(loss)
    found = dict(zip(spec.inputs, example(spec), strict=True))
    _, shares = example(losses.get("kl_div"))
    return found | {"weight": np.array(WEIGHT, np.float32), "shares": shares}


def value(phrase: Phrase, framework: str, loss: str | None = None) -> list[NDArray[Any]]:
    """What a phrase comes to in a framework: one array, or one for each batch. `loss`: its inputs are given."""
    given = names(framework)
    if loss:
        given |= {name: native(framework, array) for name, array in inputs(loss).items()}
    code = phrase.code(framework)
    match phrase.alike:
        case "steps":
            return [stepped(code, framework, given)]
        case "rates":
            return [rates(code, framework, given)]
    found = evaluate(code, given)
    return [host(each) for each in found] if isinstance(found, list) else [host(found)]


def stepped(code: str, framework: str, given: Names) -> NDArray[Any]:
    """The parameters after three steps of an optimizer, with the same gradients everywhere."""
    draw = np.random.default_rng(1)
    start, *slopes = draw.normal(size=(STEPS + 1, 4)).astype(np.float32)
    match framework:
        case "torch":
            theta = given["nn"].Parameter(native("torch", start))
            optimizer = evaluate(code, given | {"params": [theta]})
            for g in slopes:
                theta.grad = native("torch", g)
                optimizer.step()
            return host(theta)
        case "jax":
            theta, transform = native("jax", start), evaluate(code, given)
            state = transform.init(theta)
            for g in slopes:
                updates, state = transform.update(native("jax", g), state, theta)
                theta = given["optax"].apply_updates(theta, updates)
            return host(theta)
        case _:
            given |= {"theta": start, "b": np.zeros_like(start)}
            for t, g in enumerate(slopes):
                given |= {"t": t, "g": g}
                exec(code, given)
            return host(given["theta"])


def rates(code: str, framework: str, given: Names) -> NDArray[Any]:
    """The learning rates of six steps of a schedule that begins at 0.1."""
    steps = np.arange(RATES)
    match framework:
        case "torch":
            torch = given["torch"]
            optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
            schedule, found = evaluate(code, given | {"optimizer": optimizer}), []
            for _ in steps:
                found.append(schedule.get_last_lr()[0])
                optimizer.step()
                schedule.step()
            return np.array(found)
        case "jax":
            schedule = evaluate(code, given)
            return np.array([float(schedule(step)) for step in steps])
        case _:
            return host(evaluate(code, given | {"t": steps}))


def outcomes(trap: Trap) -> Iterator[str]:
    """The text of every value of a trap; the lines of one framework share their names."""
    known = {framework: names(framework) for framework in {each.framework for each in trap.shown}}
    for each in trap.shown:
        yield text(evaluate(each.code, known[each.framework]))


def host(found: Any) -> NDArray[Any]:
    """Any framework's array, as NumPy's."""
    return np.asarray(found.detach() if hasattr(found, "detach") else found)


def text(found: Any) -> str:
    """A value as the page shows it: four digits, no class names, no negative zero."""
    if isinstance(found, tuple):  # torch.Size is one
        return str(tuple(found))
    if isinstance(found, bool | str | np.dtype) or type(found).__name__ == "dtype":
        return str(found)
    array = host(found) + 0  # -0 + 0 is 0
    digits = ".7g" if isinstance(found, float) else ".4g"  # a Python float was rounded by the line itself
    written = [format(number, digits) for number in array.ravel().tolist()]
    return f"[{', '.join(written)}]" if array.ndim else written[0]
