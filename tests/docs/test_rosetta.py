"""The phrase book: every line runs, the three of a row are alike, every trap is one, and the page is current."""

from __future__ import annotations

import numpy as np
import pytest

from samestep import backends
from samestep.backends import losses
from samestep.benchmarks import rosetta
from samestep.benchmarks.rosetta.loss_phrases import LOSSES
from samestep.benchmarks.rosetta.option_phrases import OPTIONS
from samestep.benchmarks.rosetta.phrases import DATA, FRAMEWORKS, INITIALISERS, LAYERS, SCHEDULES, SGD, Phrase
from samestep.benchmarks.rosetta.run import evaluate, names, outcomes, value
from samestep.benchmarks.rosetta.traps import TRAPS
from tests.helpers.paths import ROOT

PAGE = ROOT / "docs" / "rosetta.md"
CONCEPTS = (*DATA, *LAYERS, *INITIALISERS, *SGD, *SCHEDULES)
UNIT = float(np.finfo(np.float32).eps) / 2

pytestmark = pytest.mark.skipif(
    any(backends.missing(name) for name in FRAMEWORKS), reason="the phrase book needs all three frameworks"
)


def values(phrase: Phrase, loss: str | None = None) -> list[list[np.ndarray]]:
    return [value(phrase, framework, loss) for framework in FRAMEWORKS]


def assert_alike(phrase: Phrase, found: list[list[np.ndarray]], operations: int) -> None:
    """By what `alike` promises. Values: each of up to `operations` float32 roundings, of numbers not above 10 or
    the value itself."""
    for ours, theirs in ((found[0], found[1]), (found[0], found[2])):
        assert [a.shape for a in ours] == [
            a.shape[::-1] if phrase.alike == "law" and theirs is found[1] else a.shape for a in theirs
        ]
        for one, other in zip(ours, theirs, strict=True):
            match phrase.alike:
                case "permutation":
                    assert sorted(one) == sorted(other) == list(range(7))
                case "law":
                    # six standard errors of a difference of means, and of deviations (widest for the normal law)
                    n, sd = one.size, float(one.std())
                    assert abs(one.mean() - other.mean()) <= 6 * sd * np.sqrt(2 / n) + UNIT
                    assert abs(sd - other.std()) <= 6 * sd * np.sqrt(1 / n) + UNIT
                case "rates":
                    np.testing.assert_allclose(one, other, rtol=1000 * UNIT)  # Optax counts in float32
                case "values" | "steps":
                    largest = max(10, np.abs(one).max())
                    np.testing.assert_allclose(one, other, rtol=0, atol=operations * UNIT * largest)
                case "shapes":
                    pass


@pytest.mark.parametrize("phrase", CONCEPTS, ids=lambda phrase: phrase.what)
def test_the_lines_of_a_row_are_alike(phrase: Phrase) -> None:
    assert_alike(phrase, values(phrase), operations=12)


@pytest.mark.parametrize("name", losses.names())
def test_every_loss_is_written_in_three_frameworks(name: str) -> None:
    phrase, spec = LOSSES[name], losses.get(name)
    assert phrase.what.partition(",")[0] == spec.torch_name
    assert f"nn.{'NLLLoss' if name == 'nll2d' else spec.torch_name}(" in phrase.torch
    found = values(phrase, loss=name)
    assert all(np.isfinite(each[0]) and each[0].shape == () for each in found)
    assert all(each[0].dtype == np.float32 for each in found)
    assert_alike(phrase, found, operations=64)  # at most 48 elements are added, after a few roundings each


@pytest.mark.parametrize(("name", "phrase"), OPTIONS, ids=lambda each: getattr(each, "what", each))
def test_an_option_of_a_loss_is_written_in_three_frameworks(name: str, phrase: Phrase) -> None:
    """And does something: the value is another than without it, but for the logarithm of the same target."""
    found = values(phrase, loss=name)
    assert all(np.isfinite(each[0]).all() and each[0].dtype == np.float32 for each in found)
    assert_alike(phrase, found, operations=64)
    plain = value(LOSSES[name], "torch", name)[0]
    same = found[1][0].shape == plain.shape and abs(found[1][0] - plain) <= 64 * UNIT * 10
    assert same == ("log_target" in phrase.torch)


def test_every_option_of_the_losses_has_a_line() -> None:
    said = " ".join(phrase.torch for phrase in (*LOSSES.values(), *(phrase for _, phrase in OPTIONS)))
    for name in losses.names():
        for option in losses.get(name).options:
            assert f"{option}=" in said


def test_the_losses_are_in_each_framework_s_own_words() -> None:
    for phrase in (*LOSSES.values(), *(phrase for _, phrase in OPTIONS)):
        assert "_losses" not in phrase.numpy + phrase.torch + phrase.jax


def test_no_phrase_is_left_over() -> None:
    assert set(LOSSES) == set(losses.names())


def test_the_options_of_sgd_all_have_a_phrase() -> None:
    said = " ".join(phrase.torch for phrase in SGD)
    for option in ("momentum", "dampening", "nesterov", "weight_decay", "maximize"):
        assert f"{option}=" in said


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.says[:40])
def test_a_trap_gives_what_it_says(trap) -> None:
    assert list(outcomes(trap)) == [each.gives for each in trap.shown]


def test_a_line_without_a_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="the last line is no expression"):
        evaluate("x = 1", names("numpy"))


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == rosetta.page() + "\n", (
        "run: samestep rosetta > docs/rosetta.md"
    )
