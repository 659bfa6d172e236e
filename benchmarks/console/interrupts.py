"""Ctrl-C that is not lost, wherever it hits."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # typeshed's own name, which is not there at run time
    from sys import UnraisableHookArgs

RESEND_S = 0.05  # by then the callback that dropped it has ended


@contextmanager
def interrupts_delivered() -> Iterator[None]:
    """Within it a KeyboardInterrupt that Python could not raise is sent again, until it is raised.

    Python drops every exception in a destructor and in a callback of its garbage collector. JAX registers one of
    these, so that in a process with many objects a good part of all signals ends there.
    """
    previous_hook, main = sys.unraisablehook, threading.main_thread().ident

    def hook(dropped: UnraisableHookArgs, /) -> None:
        if main is None or not issubclass(dropped.exc_type, KeyboardInterrupt):
            previous_hook(dropped)
            return
        threading.Timer(RESEND_S, signal.pthread_kill, (main, signal.SIGINT)).start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = previous_hook
