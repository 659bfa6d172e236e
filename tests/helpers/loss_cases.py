"""The cases every backend's losses are held to, and what PyTorch gives for them in float64.

`python -m tests.helpers.loss_cases` writes tests/data/losses.json from the installed PyTorch, so that NumPy and
JAX are held to it where there is no PyTorch. Every input and option is a number that bfloat16 represents, so that
one reference serves every dtype; no row lies close to a jump of its gradient (those have tests of their own).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.backends import losses
from samestep.backends.losses import LossSpec, class_axis
from tests.helpers.loss_bounds import UNIT_ROUNDOFF, kinked
from tests.helpers.paths import DATA

Arrays = tuple[NDArray[Any], ...]
Result = tuple[NDArray[Any], dict[str, NDArray[Any]]]
FROZEN = DATA / "losses.json"

# the first shape meets every option and reduction; the others the defaults, and all options together
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "cross_entropy": ((3, 4), (4,), (2, 3, 2, 2)),
    "nll": ((3, 4), (4,), (2, 4, 3)),
    "nll2d": ((2, 3, 2, 2),),
    "cosine_embedding": ((4, 3), (4,)),
    "multi_margin": ((3, 4), (4,)),
    "multilabel_margin": ((3, 4), (4,)),
    "multilabel_soft_margin": ((3, 4), (4,), (2, 3, 4)),
}
ELEMENTWISE = ((3, 4), (), (4,))
OPTIONS: dict[str, tuple[Any, ...]] = {
    "beta": (0, 0.5, 2.0),
    "delta": (0.5, 2.0),
    "ignore_index": (-100, 1),
    "label_smoothing": (0.125, 1.0),
    "log_target": (True,),
    "margin": (0.25,),
    "p": (2,),
}


@dataclass(frozen=True)
class Case:
    """One call: the loss, its arguments, and its arrays with the floating ones in float64.

    `dtypes` are those it is tried in: every one where the shape is the loss's first, float64 for other shapes.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    arrays: Arrays
    dtypes: tuple[str, ...]

    def call(self, dtype: Any) -> Arrays:
        """The arrays, the floating ones in `dtype`."""
        return tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in self.arrays)

    @property
    def digest(self) -> str:
        """Changes with the inputs, so that frozen values cannot be read against others."""
        return hashlib.sha256(b"".join(a.tobytes() for a in self.arrays)).hexdigest()[:8]


def _grid(low: float, high: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Multiples of 1/64 in [low, high], at most 4 in size: eight leading bits, as many as a bfloat16 holds."""
    return np.asarray(rng.integers(round(64 * low), round(64 * high), shape, endpoint=True) / 64)


def _option_values(spec: LossSpec, key: str, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The values to try; a weight per class, or per column and per element."""
    if key not in ("weight", "pos_weight"):
        return OPTIONS[key]
    columns = (
        shape[-1 if spec.target in ("probability", "binary") else class_axis(len(shape))] if shape else 1
    )
    weights = (0.5, 1.25, 2.0, 0.75) if key == "weight" else (3.0, 0.5, 1.0, 0.25)
    listed, whole = tuple(np.resize(weights, columns).tolist()), np.resize(weights[::-1], shape)
    return (whole,) if not shape else (listed, whole) if spec.target == "probability" else (listed,)


def _variants(
    spec: LossSpec, shape: tuple[int, ...], probabilities: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The defaults, every option alone, and the first value of all together, each with an ending for its id."""
    keys = [key for key in spec.options if not (probabilities and key == "ignore_index")]
    values = {key: _option_values(spec, key, shape) for key in keys}
    yield "", {}
    for key in keys:
        for place, value in enumerate(values[key]):
            yield f"-{key}{place}" if "weight" in key else f"-{key}={value}", {key: value}
    if len(keys) > 1:
        yield "-all", {key: options[0] for key, options in values.items()}


def _target(
    spec: LossSpec, shape: tuple[int, ...], options: Mapping[str, Any], rng: np.random.Generator
) -> Any:
    match spec.target:
        case "sign":
            signs = rng.choice([-1, 1], shape[:-1] if spec.name == "cosine_embedding" else shape)
            return signs.astype(float) if len(shape) > 1 else signs
        case "binary":
            return rng.integers(0, 2, shape)
        case "class set":
            return rng.permuted(np.broadcast_to(np.arange(-1, shape[-1] - 1), shape), axis=-1)
        case "probability":
            return _grid(0, 1, shape, rng)
        case "distribution":
            return _grid(-3, 0, shape, rng) if "log_target" in options else _grid(0.05, 1, shape, rng)
        case "class" | "class or probabilities":
            axis = class_axis(len(shape))
            target = rng.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :])
            if "ignore_index" in options and target.ndim:
                target.flat[0] = options["ignore_index"]
            return target
    return _grid(-2, 2, shape, rng)


def _draw(
    spec: LossSpec, shape: tuple[int, ...], options: Mapping[str, Any], probabilities: bool, seed: int
) -> Arrays:
    rng = np.random.default_rng(seed)
    while True:
        low, high = (0.05, 0.95) if spec.name == "bce" else (-3, 3)
        floating = [_grid(low, high, shape, rng) for _ in spec.inputs[:-1]]
        target = _grid(0, 1, shape, rng) if probabilities else _target(spec, shape, options, rng)
        arrays = (*floating, np.asarray(target))
        if not kinked(spec.name, arrays, options, "bfloat16"):
            return arrays


@cache
def cases() -> tuple[Case, ...]:
    """Loss x shape x option x reduction, from the registry."""
    made = []
    for name in losses.names():
        spec = losses.get(name)
        shapes = SHAPES.get(name, ELEMENTWISE)
        for shape in shapes:
            for probabilities in (False, True) if spec.target == "class or probabilities" else (False,):
                for words, options in _variants(spec, shape, probabilities):
                    first = shape == shapes[0]
                    if not (first or words in ("", "-all")):
                        continue
                    kind = "-probabilities" if probabilities else ""
                    size = "x".join(map(str, shape)) or "scalar"
                    stem = f"{name}-{size}{kind}{words}"
                    arrays = _draw(spec, shape, options, probabilities, zlib.crc32(stem.encode()))
                    for reduction in spec.reductions if first else ("mean",):
                        arguments = {**options, "reduction": reduction}
                        dtypes = tuple(UNIT_ROUNDOFF) if first else ("float64",)
                        made.append(Case(f"{stem}-{reduction}", name, arguments, arrays, dtypes))
    return tuple(made)


def torch_reference(name: str, arrays: Sequence[NDArray[Any]], arguments: Mapping[str, Any]) -> Result:
    """Value and gradient of the torch.nn module in float64, by autograd, without our backends."""
    import torch

    spec = losses.get(name)
    kind = getattr(torch.nn, spec.torch_name.removesuffix("2d"))
    options = {key: torch.tensor(np.array(v)) if "weight" in key else v for key, v in arguments.items()}
    tensors = [torch.tensor(array) for array in arrays]
    leaves = [tensors[spec.inputs.index(key)].requires_grad_() for key in spec.gradients(arrays)]
    value = kind(**options)(*tensors)
    gradients = torch.autograd.grad(value.sum(), leaves)
    return value.detach().numpy(), dict(
        zip(spec.gradients(arrays), (g.numpy() for g in gradients), strict=True)
    )


@cache
def frozen() -> dict[str, Any]:
    """The contents of tests/data/losses.json."""
    read: dict[str, Any] = json.loads(FROZEN.read_text())
    return read


def reference(case: Case) -> Result:
    """What PyTorch gave for a case."""
    entry = frozen()["cases"].get(case.id)
    assert entry is not None, f"{FROZEN} has no {case.id}: run python -m tests.helpers.loss_cases"
    assert entry["inputs"] == case.digest, (
        f"{FROZEN} was made from other inputs: run python -m tests.helpers.loss_cases"
    )
    return np.array(entry["value"]), {key: np.array(value) for key, value in entry["gradients"].items()}


def main() -> None:
    """Write the frozen values, one case on a line."""
    import warnings

    import torch

    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice on KLDivLoss with reduction mean
        for case in cases():
            value, gradients = torch_reference(case.name, case.arrays, case.arguments)
            listed = {key: array.tolist() for key, array in gradients.items()}
            entry = {"inputs": case.digest, "value": value.tolist(), "gradients": listed}
            lines.append(
                f"{json.dumps(case.id)}: {json.dumps(entry, allow_nan=False, separators=(',', ':'))}"
            )
    version = json.dumps(torch.__version__.partition("+")[0])
    FROZEN.parent.mkdir(exist_ok=True)
    FROZEN.write_text(f'{{"torch": {version}, "cases": {{\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()
