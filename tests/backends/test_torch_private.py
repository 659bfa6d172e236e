"""The private names of PyTorch: all in one file, there, and doing what the lanes need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from samestep import backends

torch = pytest.importorskip("torch")
FOLDER = Path(backends.__file__).parent
PRIVATE = re.compile(r"\btorch(\.\w+)*\._[a-zA-Z]|from torch(\.\w+)* import .*\b_[a-zA-Z]")


def test_only_one_file_uses_private_names() -> None:
    users = {path.name for path in FOLDER.glob("*.py") if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert users == {"torch_private.py"}


@pytest.mark.parametrize(
    "line",
    [
        "from torch._higher_order_ops import scan",
        "torch._foreach_add_(a)",
        "torch.nn._x()",
        "from torch import _C",
    ],
)
def test_a_private_name_is_seen(line: str) -> None:
    assert PRIVATE.search(line)


def test_the_loop_is_there_in_the_locked_version() -> None:
    from samestep.backends.torch_private import while_loop
    from samestep.backends.torch_programs import has_loop

    assert while_loop is not None
    assert has_loop("cpu")
    assert not has_loop("cuda")
    count, total = torch.tensor(5), torch.tensor(0)
    done, value = while_loop(lambda i, _: i < count, lambda i, v: (i + 1, v + i), (torch.tensor(0), total))
    assert (int(done), int(value)) == (5, 10)


def test_a_lane_without_the_loop_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from samestep.backends import torch_programs

    kind = backends.lane_class("torch:fused")
    assert kind("cpu").traits == kind.traits
    monkeypatch.setattr(torch_programs, "while_loop", None)
    assert kind("cpu").traits.compiled == "10 steps"


def test_the_locked_version_knows_the_options_of_the_loop() -> None:
    from torch._inductor import config

    from samestep.backends.torch_private import loop_options

    options = loop_options()
    assert options["cpp_wrapper"] is True
    assert options["cpp_cache_precompile_headers"] is False
    known = config.get_config_copy()
    assert options.keys() <= known.keys()
    assert {name: type(value) for name, value in options.items()} == {
        name: type(known[name]) for name in options
    }
