"""The private names of PyTorch that the lanes use, all of them here; a test watches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

while_loop: Callable[..., Any] | None
"""while_loop(go_on, body, carries): carries = body(*carries) as long as go_on(*carries).

`body` must give new tensors: not its arguments, changed or as they are. None where this PyTorch lacks it.
"""

try:
    from torch._higher_order_ops.while_loop import while_loop
except ImportError:
    while_loop = None


def loop_options() -> dict[str, Any]:
    """Options of torch.compile for a program that holds a loop, those that this PyTorch knows.

    A header that is compiled beforehand serves one program here, and each process that takes the program from a
    cache has the preprocessor read all of it, to see whether it has changed: without, it is read once.
    """
    from torch._inductor import config  # takes long: not before something is compiled

    options = {"cpp_wrapper": True, "cpp_cache_precompile_headers": False}
    return {name: value for name, value in options.items() if hasattr(config, name)}
