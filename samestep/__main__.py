"""`python -m samestep` is `samestep`.

Python puts the current folder first in its path here. Nothing is imported from it: a file of the user's own that
is called numpy.py or json.py is theirs. The folder stays only where this package itself lies in it: in a checkout
that is not installed.
"""

import os
import sys

here, home = os.getcwd(), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if not sys.flags.safe_path and sys.path[0] in ("", here) and not os.path.samefile(here, home):
    del sys.path[0]

import signal  # noqa: E402 - after the path is cleared


def leave(number: int, frame: object) -> None:
    """End at once: an exception would be shown as a traceback of whatever is being imported."""
    try:
        os.write(2, b"samestep: interrupted; nothing was written\n")
    finally:
        os._exit(128 + number)


def command_line() -> None:
    """The command line; a signal while nothing has been begun is one line and the exit code.

    Ctrl-C while Python ends is too late for anything, and would kill a command that is done.
    """
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is default:  # a shell has programs in the background ignore Ctrl-C
            signal.signal(number, leave)
    from samestep.benchmarks.console import interrupts

    interrupts.at_once = leave
    from samestep.benchmarks import cli

    try:
        cli.main()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    command_line()
