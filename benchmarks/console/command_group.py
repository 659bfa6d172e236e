"""Commands as typer runs them, but for two things: an interrupt is heard, and an unknown option is looked for."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup


class StoppedCommand(BaseException):
    """A command that was interrupted, and by what."""

    def __init__(self, stop: KeyboardInterrupt) -> None:
        super().__init__()
        self.stop = stop


class CommandGroup(TyperGroup):
    """Commands whose interrupt comes out as it is: typer makes an exit code of it, whatever the signal was."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed.

        Raises:
            StoppedCommand: it was interrupted.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise StoppedCommand(stop) from stop


def usage_message(error: typer.TyperException) -> str:
    """What is wrong with what was typed, which other commands take an unknown option, and where help is."""
    context = getattr(error, "ctx", None)  # usage errors have one
    if context is None:
        return error.format_message()
    takers = _takers(getattr(error, "option_name", None), context.find_root().command)
    return f"{error.format_message()}{takers} (see {context.command_path} --help)"


def _takers(option: str | None, group: Any) -> str:
    commands = getattr(group, "commands", {})
    names = [
        name for name, command in commands.items() if any(option in each.opts for each in command.params)
    ]
    return f"; {option} is an option of {', '.join(names)}" if names else ""
