"""Many commands in one process, which imports each framework once: `python -m tests.helpers.command_runner FILE`.

FILE is a JSON list of {"arguments": [...], "folder": "..."}; the list is printed, each with "code" and "output".
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from samestep.benchmarks.cli import main


def run(arguments: list[str], folder: str) -> dict[str, Any]:
    """A command in a folder: its exit code, and all that it said."""
    output, code = io.StringIO(), 0
    streams = contextlib.redirect_stdout(output), contextlib.redirect_stderr(output)
    with contextlib.chdir(folder), streams[0], streams[1]:
        try:
            main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception:
            traceback.print_exc()
            code = 70
    return {"arguments": arguments, "code": code, "output": output.getvalue()}


if __name__ == "__main__":
    print(json.dumps([run(**command) for command in json.loads(Path(sys.argv[1]).read_bytes())]))
