"""Ctrl-C and SIGTERM that are not lost, wherever they hit."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:  # typeshed's own name, which is not there at run time
    from sys import UnraisableHookArgs

RESEND_S = 0.05  # by then the callback that dropped it has ended
SIGNALS = (signal.SIGINT, signal.SIGTERM)
at_once: Callable[..., Any] | None = None  # the handler that the command line has while nothing is begun


class Terminated(KeyboardInterrupt):
    """SIGTERM: what it ends keeps its results, as after Ctrl-C."""


def raise_interrupts() -> None:
    """From here on something can be lost: the command line's signals raise, and no longer end it at once."""
    for number in SIGNALS:
        if at_once and signal.getsignal(number) is at_once:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else _terminate)


def _terminate(number: int, frame: Any) -> NoReturn:
    raise Terminated


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a shell gives a program that the signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + _number(stop.__class__)


def _number(kind: type[BaseException]) -> int:
    return signal.SIGTERM if issubclass(kind, Terminated) else signal.SIGINT


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
        threading.Timer(RESEND_S, signal.pthread_kill, (main, _number(dropped.exc_type))).start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = previous_hook
