"""Names with commas between them, and a file's description as options."""

from hypothesis import given
from hypothesis import strategies as st

from samestep.backends.spec import File, Reading
from samestep.benchmarks.datasets.spelling import arguments_of, names_of, text_of

names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).map(str.strip).filter(bool)


@given(st.lists(names, min_size=1, max_size=5))
def test_names_are_read_as_they_were_written(chosen):
    assert names_of(text_of(chosen)) == tuple(chosen)


def test_a_name_with_a_comma_stands_in_quotes():
    assert names_of('a, "b, c" ,d') == ("a", "b, c", "d")


def test_the_options_of_a_file():
    assert arguments_of(File(path="f", target="y"), "x.csv") == ["--data", "x.csv", "--target", "y"]
    reading = Reading(decimal=",", null=("-9",), skip=("a b",), no_header=True, missing="mean")
    file = File(path="f", target="y", features=("p,q", "r"), reading=reading)
    options = [
        "--features",
        '"p,q",r',
        "--decimal=,",
        "--null=-9",
        "--skip=a b",
        "--no-header",
        "--missing=mean",
    ]
    assert arguments_of(file, "x.csv") == ["--data", "x.csv", "--target", "y", *options]
