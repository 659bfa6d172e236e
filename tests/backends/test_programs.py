"""The compiled programs: each task keeps its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
torch_programs = pytest.importorskip("samestep.backends.torch_programs")


def closures(count: int) -> list[Callable[[Any], Any]]:
    """Functions made by one `def`, each of which needs a program of its own."""

    def add(number: int) -> Callable[[Any], Any]:
        return lambda x: x + number

    return [add(number) for number in range(count)]


def results(functions: list[Callable[[Any], Any]]) -> list[float]:
    """What each gives for 1 when all are compiled, with room for two programs of one code object."""
    torch.compiler.reset()
    with torch._dynamo.config.patch(recompile_limit=2):
        options = {"backend": "eager", "fullgraph": True, "dynamic": False}
        return [float(torch.compile(function, **options)(torch.ones(()))) for function in functions]


def test_a_function_with_a_code_of_its_own_does_the_same() -> None:
    first, second = closures(2)
    shared = first.__code__
    own = torch_programs.own_code(first)
    assert shared is second.__code__
    assert own.__code__ is not second.__code__
    assert [own(1), second(1)] == [1, 2]


def test_many_closures_of_one_function_stay_compiled() -> None:
    functions = [torch_programs.own_code(function) for function in closures(5)]
    assert results(functions) == [1, 2, 3, 4, 5]


def test_without_a_code_of_their_own_they_push_one_another_out() -> None:
    """Why `own_code` is there; when torch no longer needs it, this fails and it can go."""
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
        results(closures(5))


def test_a_program_still_sees_other_arguments() -> None:
    """Fewer guards: what the arguments are is checked, and a change of it compiles another program."""

    def total(params: list[Any], x: Any) -> Any:
        return sum((p for p in params if p is not None), x)

    keep = torch_programs.argument_guards(total)
    torch.compiler.reset()
    options = {"guard_filter_fn": keep}
    program = torch.compile(total, dynamic=False, fullgraph=True, options=options)
    one = torch.ones(2)
    assert program([one], one).tolist() == [2, 2]
    assert program([one, one], one).tolist() == [3, 3]
    assert program([None, one], one).tolist() == [2, 2]
    assert program([one, one], torch.ones(3, 2)).tolist() == [[3, 3]] * 3
    assert program([one], one.double()).dtype == torch.float64
    assert program([one], one).tolist() == [2, 2]
