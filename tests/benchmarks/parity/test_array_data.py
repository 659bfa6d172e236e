"""What is taken as data and as a recorded stream, and one clear line for what is not."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from samestep import backends
from samestep.backends.spec import SGD, Constant, Initialization, Loss
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.parity import Rows, Workload, certify, export
from samestep.benchmarks.record.proof import Certificate
from tests.helpers.parity_trainer import Trainer
from tests.helpers.small_port import make, recorded, rows, step


def tensor(array, dtype=None, **options):
    """A tensor of torch; the test is skipped where that is not installed."""
    torch = pytest.importorskip("torch")
    return torch.tensor(array, dtype=dtype and getattr(torch, dtype), **options)


def in_jax(array, dtype=None):
    """An array of JAX; the test is skipped where that is not installed."""
    return pytest.importorskip("jax").numpy.asarray(array, dtype)


# --- what is no data ------------------------------------------------------------------------------------------

X, Y = rows().x, rows().y
NO_DATA = {
    "complex x": ((X + 0j, Y), "x holds complex128, not real numbers"),
    "complex y": ((X, Y + 1j), "y holds complex128, not real numbers"),
    "objects": ((X.astype(object), Y), "x holds object, not real numbers; give float64"),
    "a text among numbers": (
        (np.where(np.arange(40).reshape(20, 2) == 7, "seven", X.astype(object)), Y),
        "x holds object, not real numbers: row 3, column 1 counted from 0 is of type str",
    ),
    "bfloat16": (lambda: (in_jax(X, "bfloat16"), Y), "x holds bfloat16, which NumPy does not compute"),
    "bfloat16 of torch": (lambda: (X, tensor(Y, "bfloat16")), "y is no array (TypeError: "),
    "texts": ((X.astype(str), Y), "x holds <U32, not real numbers"),
    "truth values": ((X, Y > 0), "y holds bool, not real numbers"),
    "dates": ((X.astype("M8[s]"), Y), "x holds datetime64[s], not real numbers"),
    "NaN": (
        (np.where(X > 1, np.nan, X), Y),
        "x holds NaN or infinity in 4 of 20 rows, first at row 3, column 0",
    ),
    "infinity": ((X, np.where(Y > 5, np.inf, Y)), "y holds NaN or infinity in 4 of 20 rows"),
    "no row": ((X[:0], Y[:0]), "x has shape (0, 2): there is no number in it"),
    "no column": ((X[:, :0], Y), "x has shape (20, 0): there is no number in it"),
    "other rows": ((X, Y[:-1]), "x has 20 rows and y has 19"),
    "one axis": ((X[:, 0], Y), "x is (20,), not (rows, 2)"),
    "one axis of targets": ((X, Y[:, 0]), "target has shape (20,), but prediction of shape (20, 1)"),
    "classes for a regression": ((X, Y.astype(int)), "as prediction, not int64"),
    "masked": ((np.ma.masked_greater(X, 1), Y), "x is a masked array"),
    "sparse": (
        (csr_matrix(X), Y),
        "x is of type csr_matrix, a sparse array; convert it with its method toarray()",
    ),
    "uneven lists": (([[1.0, 2.0], [3.0]], Y), "x is no array (ValueError: "),
    "integers": (
        (X.astype(int) + 2**53 + 1, Y),
        "x holds integers that float64 cannot hold, first 90071992547409",
    ),
    "nothing": ((None, None), "x is of type NoneType"),
    "a dictionary": (({"x": X}, Y), "x is of type dict, not an array of numbers"),
    "a mapping of arrays": ({"x": X, "y": Y}, "the data are of type dict: give arrays (x, y)"),
    "three arrays": ((X, Y, Y), "the data are of type tuple: give arrays (x, y)"),
    "one array": (X, "the data are of type ndarray: give arrays (x, y)"),
}


@pytest.mark.parametrize("what", NO_DATA)
@pytest.mark.parametrize("program", [step, backends.load("numpy", "cpu")], ids=["function", "backend"])
def test_what_is_no_data_is_an_input_error(program, what):
    data, line = NO_DATA[what]
    data = data() if callable(data) else data
    with pytest.raises(InputError) as error:
        certify(program, make(), data)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_numbers_beyond_the_dtype_are_an_input_error(tmp_path):
    large = np.where(np.arange(40).reshape(20, 2) == 7, 1e39, X)
    line = r"x has values too large for float32, first 1e\+39 at row 3, column 1 counted from 0 \(float64\)"
    with pytest.raises(InputError, match=line):
        certify(step, make(), (large, Y))
    if np.longdouble("1e400") < np.inf:
        with pytest.raises(
            InputError, match=r"y has values too large for float64, .* \(float128\); use smaller"
        ):
            Rows(X, Y * np.longdouble("1e400")).rounded("float64")
    with pytest.raises(InputError, match="x holds complex128"):
        export(tmp_path / "work.npz", make(), (X + 0j, Y))


class Unrounded:
    """Data of another kind than ours, whose arrays are what they are."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def rounded(self, dtype):
        return self.x, self.y

    def digest(self):
        return "0"


def test_data_of_another_kind_are_looked_at_too():
    with pytest.raises(InputError, match="task 'port': x holds NaN or infinity in 20 of 20 rows"):
        certify(step, make(), Unrounded(np.full_like(X, np.nan), Y))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (lambda a: a.astype(object), "'0.weight' holds object, not real numbers; record it as float32"),
        (lambda a: a.astype(str), "'0.weight' holds <U32, not real numbers"),
        (np.ma.masked_invalid, "'0.weight' is a masked array"),
        (
            lambda a: in_jax(a, "bfloat16"),
            "'0.weight' holds bfloat16, which NumPy does not",
        ),
        (lambda a: np.zeros(a.shape, "V2"), "'0.weight' holds |V2, which NumPy does not compute with"),
        (lambda a: tensor(a, "bfloat16"), "'0.weight' is no array (TypeError: "),
        (lambda a: [a[0], a[1, :1]], "'0.weight' is a list of arrays of different shapes"),
        (lambda a: [[1.0], [1.0, 2.0]], "'0.weight' is no array (ValueError: "),
        (lambda a: None, "'0.weight' is of type NoneType"),
        (lambda a: csr_matrix(a[:, :, 0]), "'0.weight' is of type csr_matrix, a sparse array"),
    ],
)
def test_what_is_no_stream_is_an_input_error(entry, line, tmp_path):
    stream = recorded()
    with pytest.raises(InputError) as error:
        certify(stream | {"0.weight": entry(stream["0.weight"])}, make(), rows())
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_a_stream_of_another_type_of_number_fails_by_its_name():
    stream = recorded()
    wrong = certify({name: a + 0j for name, a in stream.items()}, make(), rows())
    assert wrong.reason == "float32: params 0.weight are complex64 in a float32 task"
    nan = certify({name: a * np.float32("nan") for name, a in stream.items()}, make(), rows())
    assert nan.reason.startswith("float32: step 1 of 8: params 0.weight[0, 0] is nan")
    assert Certificate.model_validate_json(nan.model_dump_json()).model_dump_json() == nan.model_dump_json()


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (lambda a: a + 0j, "params 0.weight are complex128 in a float64 task"),
        (lambda a: a.astype(object), "params 0.weight are object in a float64 task"),
        (lambda a: a.astype(str), "params 0.weight are <U32 in a float64 task"),
        (lambda a: a.astype("M8[s]"), "params 0.weight are datetime64[s] in a float64 task"),
        (lambda a: a > 0, "params 0.weight are bool in a float64 task"),
        (lambda a: None, "params 0.weight have shape (1,), not (1, 2, 1)"),
        (lambda a: csr_matrix(np.atleast_2d(a)), "params 0.weight have shape (1,), not (1, 2, 1)"),
    ],
)
def test_a_function_that_gives_no_numbers_fails_by_what_they_are(result, line):
    def wrong(params, x, y, learning_rate):
        return {name: result(value) for name, value in step(params, x, y, learning_rate).items()}

    certificate = certify(wrong, make(), rows())
    assert certificate.status == "fail"
    assert certificate.reason.startswith(f"float64: {line}")
    assert certificate.final is None


# --- what is taken --------------------------------------------------------------------------------------------

GIVEN = {
    "lists": lambda a: a.tolist(),
    "a tensor of torch": lambda a: tensor(a, requires_grad=True),
    "an array of JAX": in_jax,
    "a data frame": lambda a: pd.DataFrame(a),
    "a list of rows": list,
    "a list of tensors": lambda a: [tensor(row) for row in a],
}


@pytest.mark.parametrize("pair", [tuple, list])
@pytest.mark.parametrize("kind", GIVEN)
def test_data_are_taken_as_arrays(kind, pair):
    small = rows().x.astype("float32"), rows().y.astype("float32")  # which JAX keeps
    certificate = certify(step, make(), pair(GIVEN[kind](array) for array in small))
    assert certificate.status == "pass", certificate.reason
    assert certificate.final == certify(step, make(), small).final


@pytest.mark.parametrize("kind", [name for name in GIVEN if name != "a data frame"])
def test_streams_are_taken_as_arrays(kind):
    stream = recorded()
    given = certify({name: GIVEN[kind](values) for name, values in stream.items()}, make(), rows())
    assert given.status == "pass", given.reason
    assert given.final == certify(stream, make(), rows()).final


def test_a_list_of_steps_is_a_stream():
    stream = recorded()
    steps = [{name: tensor(values[t]) for name, values in stream.items()} for t in range(8)]
    for given in (steps, tuple(steps), steps[:2]):
        certificate = certify(given, make(), rows())
        complete = len(given) == 8
        assert certificate.status == ("pass" if complete else "fail")
        assert complete or certificate.reason.startswith("float32: 2 steps were recorded of 8")
    with pytest.raises(InputError, match="'1/weight' is none of"):
        certify([{"weight": np.zeros((2, 1))}], make(), rows())


def test_python_numbers_that_float32_does_not_hold_stay_float64():
    """A run in float64, written as JSON, is no run in float32."""
    task = make(dtype="float64")
    stream = Trainer(task).run(Workload.of(task, rows())).params
    given = {name: values.tolist() for name, values in stream.items()}
    assert certify(given, task, rows()).status == "pass"
    assert certify(given, make(), rows()).reason == "float32: params 0.weight are float64 in a float32 task"


def test_wider_and_narrower_numbers_than_the_task_fail_by_their_dtype():
    stream = recorded()
    for dtype in ("float16", "float64", "longdouble", "int64"):
        wrong = certify({name: a.astype(dtype) for name, a in stream.items()}, make(), rows())
        kind = np.dtype(dtype).name
        assert wrong.reason == f"float32: params 0.weight are {kind} in a float32 task"


@pytest.mark.parametrize("program", [np.zeros((3, 3)), (1, 2), [step], pd.DataFrame({"a": [1, 2]}), None])
def test_what_is_no_program_gets_one_line(program):
    with pytest.raises(InputError, match=r"is no program: give a backend, functions") as error:
        certify(program, make(), rows())
    assert "\n" not in str(error.value)


def test_a_stream_with_a_name_that_is_no_text_is_an_input_error():
    with pytest.raises(InputError, match="the name 0 is of type int, not a text"):
        certify({0: np.zeros((8, 2, 1))}, make(), rows())


def test_a_pipe_is_no_stream(tmp_path):
    os.mkfifo(tmp_path / "run.npz")
    with pytest.raises(InputError, match="not an npz file of arrays"):
        certify(tmp_path / "run.npz", make(), rows())


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"optimizer": SGD(learning_rate=1e39)}, "learning rate"),
        ({"optimizer": SGD(momentum=1e39)}, "momentum"),
        ({"optimizer": SGD(weight_decay=1e39)}, "weight_decay"),
        ({"loss": Loss(name="huber", options=(("delta", 1e39),))}, "the loss's delta"),
        ({"init": Initialization(weight=Constant(value=1e39))}, "0.weight"),
    ],
)
def test_numbers_of_a_task_beyond_its_dtype_are_an_input_error(fields, what):
    with pytest.raises(
        InputError, match=f"task 'port': {what} is too large for float32; use a smaller number"
    ):
        certify(step, make(**fields), rows())


def test_a_lane_that_gives_bfloat16_fails_in_one_line():
    class Narrow(type(backends.load("numpy", "cpu"))):
        def params(self, state):
            return {
                name: np.asarray(in_jax(value, "bfloat16")) for name, value in super().params(state).items()
            }

    certificate = certify(Narrow(), make(), rows())
    assert certificate.status == "fail"
    assert "\n" not in certificate.reason


@pytest.mark.parametrize("program", [step, lambda params, *_: params], ids=["a step", "nothing"])
def test_data_whose_first_step_overflows_are_not_said_to_grow(program):
    """1e160 is a float64, but its square is not."""
    certificate = certify(program, make(dtype="float64"), (X * 1e160, Y))
    assert certificate.status == "diverged"
    assert "a correct first step on these data leaves the range of float64" in certificate.reason
