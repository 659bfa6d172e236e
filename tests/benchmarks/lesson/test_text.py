"""What the lesson says: code that stands in the backends, documented keys, and text that fits."""

from __future__ import annotations

import math
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from samestep.benchmarks import lesson
from samestep.benchmarks.lesson import catalog
from samestep.benchmarks.lesson.models import TrainingRun, Walk
from samestep.benchmarks.lesson.page import Page, wrapped
from samestep.benchmarks.lesson.quotations import FRAMEWORKS, quotations
from tests.helpers.lesson import walked
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def walk() -> Walk:
    return walked()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_quoted_code_stands_in_the_backend(framework: str) -> None:
    files = [ROOT / "backends" / f"{framework}_{part}.py" for part in ("backend", "losses")]
    source = "".join("".join(path.read_text().split()) for path in files)
    quotes = [code for each in quotations(framework) for code in each.code]
    quotes += [row.names[framework] for row in catalog.initializer_rows()]
    assert len(quotes) > 15
    for quote in quotes:
        pieces = ["".join(piece.split()) for piece in quote.split("...")]
        assert re.search(".*".join(map(re.escape, pieces)), source), quote


def test_every_framework_says_the_same_things() -> None:
    said = [[(each.row, each.what) for each in quotations(framework)] for framework in FRAMEWORKS]
    assert said[0] == said[1] == said[2]
    assert {"forward", "clear gradients", "backward", "update"} <= {
        what for row, what in said[0] if row == "S7"
    }
    assert all(each.code or each.remark for framework in FRAMEWORKS for each in quotations(framework))


def models(root: Any) -> set[type[BaseModel]]:
    """Every model that a field of `root` can hold."""
    if isinstance(root, type) and issubclass(root, BaseModel):
        return {root}.union(*(models(field.annotation) for field in root.model_fields.values()))
    return set().union(*(models(each) for each in get_args(root)))


def test_the_document_lists_exactly_the_keys() -> None:
    text = (ROOT / "docs" / "lesson-json.md").read_text()
    sections = {part.splitlines()[0]: part for part in text.split("\n## ")[1:]}
    documented = {name: re.findall(r"^\| `(\w+)` \|", part, re.M) for name, part in sections.items()}
    assert documented == {model.__name__: list(model.model_fields) for model in models(Walk)}


def test_json_round_trip(walk: Walk) -> None:
    assert Walk.model_validate_json(walk.model_dump_json()) == walk


DIVERGED = TrainingRun(
    name="A",
    loss="mse",
    reduction="mean",
    learning_rate=30.0,
    batch_size=10,
    sums=(math.inf, math.nan, math.nan),
    means=(math.inf, math.nan, math.nan),
    above_best=(math.inf, -math.inf, math.nan),
)


def test_numbers_that_are_not_finite_travel_as_strings() -> None:
    written = DIVERGED.model_dump_json()
    assert '"above_best":["Infinity","-Infinity","NaN"]' in written
    assert TrainingRun.model_validate_json(written).model_dump_json() == written


def test_a_diverged_run_is_shown_as_one(walk: Walk) -> None:
    first = walk.lanes[0].walk
    assert first is not None
    exercise = first.exercise1.model_copy(update={"runs": (DIVERGED, *first.exercise1.runs[1:])})
    lane = walk.lanes[0].model_copy(update={"walk": first.model_copy(update={"exercise1": exercise})})
    text = lesson.render(walk.model_copy(update={"lanes": (lane, *walk.lanes[1:])}))
    assert re.search(r"^A +mean +30( +diverged){6}$", text, re.M)


@pytest.mark.parametrize(
    ("batch_size", "said", "unsaid"),
    [
        (1, ["at batch 1, where C is A", "which is 1 here: not at all"], ["1 to 1 times", "1 times here"]),
        (
            10,
            ["100 steps an epoch, all of them full", "3.43 to 33.5 times as far"],
            ["diverges", "no constant"],
        ),
        (
            999,
            ["2 steps an epoch, the last of 1 row", "That step, not reduction, makes the gaps"],
            ["Rounding,"],
        ),
        (
            1000,
            ["1 step an epoch, on all rows", "C diverges", "Rounding, not", "Here B's sum"],
            ["times as far"],
        ),
    ],
)
def test_the_words_fit_the_batch(batch_size: int, said: list[str], unsaid: list[str]) -> None:
    text = " ".join(lesson.render(lesson.walk(["numpy"], batch_size=batch_size)).split())
    before, _, after = text.partition("EXERCISE 1 at batch 7")
    reasons = after.partition("WHY THE TEXT")[2]
    assert all(words in before + reasons for words in said)
    assert not any(words in before + reasons for words in unsaid)
    assert "1 rows" not in text
    assert "1 steps" not in text


def test_long_names_are_broken_after_a_mark_or_else_anywhere() -> None:
    assert wrapped("jax.random.truncated_normal", 20).split() == ["jax.random.", "truncated_normal"]
    assert wrapped("optax.losses(...).mean(-1)", 16).split() == ["optax.losses(...", ").mean(-1)"]
    assert wrapped("initializers.variance_scaling(gain)", 20).split()[0] == "initializers."
    assert wrapped("sigmoid_binary_cross_entropy", 20).split() == ["sigmoid_binary_", "cross_entropy"]
    assert max(map(len, wrapped("anamethathasnomarkatall", 10).splitlines())) <= 10


@pytest.mark.parametrize("width", [80, 100, 120])
def test_text_fits_and_shows_every_row(walk: Walk, width: int) -> None:
    lines = lesson.render(walk, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() and line == line.rstrip() for line in lines)
    heads = {line.split()[0].rstrip(",") for line in lines if re.match(r"S\d", line)}
    assert heads == {f"S{row}" for row in range(1, 14)}


def test_text_has_a_column_for_every_lane(walk: Walk) -> None:
    many = walk.model_copy(
        update={"lanes": (*walk.lanes, walk.lanes[0].model_copy(update={"name": "fourth"}))}
    )
    lines = lesson.render(many).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("fourth" in line for line in lines) >= 13
    for lane in walk.lanes:
        assert any(line.split()[:1] == [lane.name] or lane.name in line.split() for line in lines)


def test_text_needs_80_columns(walk: Walk) -> None:
    with pytest.raises(ValueError, match="80 columns"):
        lesson.render(walk, width=79)


@given(st.lists(st.text("ab (.,=+-_\n", max_size=60), min_size=1, max_size=7), st.integers(80, 130))
def test_tables_keep_every_character_and_their_width(cells: list[str], width: int) -> None:
    lane = walked().lanes[0].model_copy(update={"name": "x"})
    page = Page(walked().model_copy(update={"lanes": (lane,) * len(cells)}), width)
    page.lanes([("label", cells)])
    text = page.text()
    assert max(map(len, text.splitlines())) <= width
    shown = "".join(sorted("".join(text.split())))
    blocks = -(-len(cells) // 3)
    assert shown == "".join(sorted("".join("".join(cells).split()) + "x" * len(cells) + "label" * blocks))
