"""docs/rosetta.md runs: the blocks of a concept agree, and every line of a trap gives the value behind it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends import losses
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "rosetta.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMPARED = re.compile(r"Only the (sorted values|shapes|distributions) are compared")
VALUE = re.compile(r"  # (.+)$")
FRAMEWORKS = {"# NumPy\n": "numpy", "# PyTorch\n": "torch", "# JAX\n": "jax"}
UNIT = float(np.finfo(np.float32).eps) / 2
Names = dict[str, Any]

pytestmark = pytest.mark.skipif(
    any(backends.missing(name) for name in FRAMEWORKS.values()), reason="the page needs all three frameworks"
)


@dataclass(frozen=True)
class Concept:
    """One concept: the inputs that it builds on, and a block for each framework."""

    title: str
    section: str
    inputs: tuple[str, ...]
    code: dict[str, str]
    compared: str

    @property
    def is_loss(self) -> bool:
        return self.section.startswith("Losses")


# --- reading the page -----------------------------------------------------------------------------------------


def labelled(text: str, label: str) -> tuple[str, ...]:
    return tuple(block for block in BLOCK.findall(text) if block.startswith(label))


def sections() -> dict[str, str]:
    """The text of each section of the page by its title."""
    return dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def concepts() -> Iterator[Concept]:
    common = labelled(sections()["Names"], "# inputs\n")
    for section, text in sections().items():
        intro, *rest = re.split(r"^#{3,4} ", text, flags=re.MULTILINE)
        for part in rest:
            blocks = BLOCK.findall(part)
            labels = [block[: block.index("\n") + 1] for block in blocks]
            assert labels == list(FRAMEWORKS), f"{part[:40]}: the blocks are {labels}"
            compared = COMPARED.search(part) or COMPARED.search(intro)
            yield Concept(
                part.partition("\n")[0],
                section,
                common + labelled(intro, "# inputs\n"),
                dict(zip(FRAMEWORKS.values(), blocks, strict=True)),
                compared[1] if compared else "values",
            )


CONCEPTS = list(concepts())
LOSSES = {concept.title: concept for concept in CONCEPTS if concept.is_loss}
TRAPS = [
    (f"{number}-{index}", block)
    for section in ("Traps of the losses", "Other traps")
    for number, text in re.findall(
        r"^\*\*(\d+)\.\*\*(.*?)(?=^\*\*|\Z)", sections()[section], re.DOTALL | re.MULTILINE
    )
    for index, block in enumerate(BLOCK.findall(text))
]


# --- running it -----------------------------------------------------------------------------------------------


def imported() -> Names:
    names: Names = {}
    exec(labelled(sections()["Names"], "# imports\n")[0], names)
    return names


def run(concept: Concept, framework: str) -> Names:
    """The names that a framework's block assigns, with their values."""
    names = imported()
    before = set(names)
    for block in concept.inputs:
        exec(block, names)
    for name in set(names) - before:
        match framework:
            case "torch":
                names[name] = names["torch"].tensor(names[name])
            case "jax":
                names[name] = names["jnp"].asarray(names[name])
    code = concept.code[framework]
    exec(compile(code, f"{concept.title}, {framework}", "exec"), names)
    stored = {
        node.id
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return {name: names[name] for name in stored if name in names}


def host(value: Any) -> np.ndarray:
    return np.asarray(value.detach() if hasattr(value, "detach") else value)


def arrays(value: Any) -> list[np.ndarray]:
    """A value as arrays: of a list one for each batch, or one of all its numbers."""
    parts = [host(part) for part in value] if isinstance(value, list) else [host(value)]
    return parts if parts[0].ndim else [np.stack(parts).squeeze()]


def assert_alike(concept: Concept, ours: np.ndarray, theirs: np.ndarray) -> None:
    """As the page says at its top."""
    assert ours.shape == theirs.shape
    match concept.compared:
        case "sorted values":
            assert sorted(ours) == sorted(theirs)
        case (
            "distributions"
        ):  # six standard errors of a difference of means, and of deviations (widest: normal)
            n, deviation = ours.size, float(ours.std())
            assert abs(ours.mean() - theirs.mean()) <= 6 * deviation * np.sqrt(2 / n) + UNIT
            assert abs(deviation - theirs.std()) <= 6 * deviation * np.sqrt(1 / n) + UNIT
        case "values" if concept.section == "Learning-rate schedules":
            np.testing.assert_allclose(ours, theirs, rtol=1000 * UNIT)  # Optax counts in float32
        case "values":
            largest = max(10, np.abs(ours).max())
            tolerance = (64 if concept.is_loss else 12) * UNIT * largest
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept.title)
def test_the_blocks_of_a_concept_agree(concept: Concept) -> None:
    numpy, *others = (run(concept, framework) for framework in FRAMEWORKS.values())
    common = set(numpy).intersection(*others)
    assert common, "no name is assigned in all three blocks"
    if concept.is_loss:
        assert "loss" in common
        assert all(host(names["loss"]).dtype == np.float32 for names in (numpy, *others))
        assert np.isfinite(host(numpy["loss"])).all()
    for name in common:
        for names in others:
            for ours, theirs in zip(arrays(numpy[name]), arrays(names[name]), strict=True):
                assert_alike(concept, ours, theirs)


@pytest.mark.parametrize("title", [title for title in LOSSES if ":" in title])
def test_an_option_of_a_loss_changes_its_value(title: str) -> None:
    """But for the logarithm of the same target."""
    value, plain = (host(run(LOSSES[name], "torch")["loss"]) for name in (title, title.partition(":")[0]))
    same = value.shape == plain.shape and abs(value - plain) <= 64 * UNIT * 10
    assert same == ("log_target" in title)


# --- completeness ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", losses.names())
def test_every_loss_and_option_has_its_blocks(name: str) -> None:
    spec = losses.get(name)
    torch = " ".join(
        c.code["torch"] for title, c in LOSSES.items() if title.partition(":")[0] == spec.torch_name
    )
    assert f"nn.{'NLLLoss' if name == 'nll2d' else spec.torch_name}(" in torch
    everywhere = " ".join(concept.code["torch"] for concept in LOSSES.values())
    for option in spec.options:
        assert f"{option}=" in everywhere


def test_no_loss_is_left_over() -> None:
    assert {title.partition(":")[0] for title in LOSSES} == {
        losses.get(name).torch_name for name in losses.names()
    }


def test_the_losses_are_written_in_each_framework_s_own_words() -> None:
    assert not [c.title for c in LOSSES.values() if "samestep" in " ".join(c.code.values())]


def test_every_option_of_sgd_is_shown() -> None:
    torch = " ".join(concept.code["torch"] for concept in CONCEPTS if concept.section == "SGD")
    for option in ("momentum", "dampening", "nesterov", "weight_decay", "maximize"):
        assert f"{option}=" in torch


# --- traps ----------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A value as the page writes it: four digits, no class names, no negative zero."""
    if isinstance(value, tuple):  # torch.Size is one
        return str(tuple(value))
    if isinstance(value, bool | str | np.dtype) or type(value).__name__ == "dtype":
        return str(value)
    array = host(value) + 0  # -0 + 0 is 0
    digits = ".7g" if isinstance(value, float) else ".4g"  # a Python float was rounded by the line itself
    numbers = [format(number, digits) for number in array.ravel().tolist()]
    return f"[{', '.join(numbers)}]" if array.ndim else numbers[0]


def outcomes(code: str, names: Names) -> Iterator[tuple[str, str]]:
    """Of every line that ends in a comment: the comment, and the text of the line's value."""
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        assert statement.end_lineno
        value = VALUE.search(lines[statement.end_lineno - 1])
        if isinstance(statement, ast.Expr) and value:
            yield value[1], text(eval(compile(ast.Expression(statement.value), "trap", "eval"), names))
        else:
            exec(compile(ast.Module([statement], []), "trap", "exec"), names)


@pytest.mark.slow
@pytest.mark.parametrize("code", [code for _, code in TRAPS], ids=[name for name, _ in TRAPS])
@pytest.mark.filterwarnings("ignore")  # some traps are warned of, which is not what is shown
def test_a_trap_gives_what_it_says(code: str) -> None:
    shown = list(outcomes(code, imported()))
    assert shown
    for stated, value in shown:
        assert value == stated


def test_traps_are_numbered_and_linked_by_their_number() -> None:
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+)\.\*\*", PAGE, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    for number, target in re.findall(r"\[trap (\d+)\]\(#([\w-]+)\)", PAGE):
        section = next(title for title in sections() if title.lower().replace(" ", "-") == target)
        assert f"**{number}.**" in sections()[section]
