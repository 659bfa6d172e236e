"""The command line in this process."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from samestep.benchmarks import cli
from tests.helpers.processes import InProcess


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> InProcess:
    """The command line in this process, from an empty folder: no framework has to be imported again."""
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> CompletedProcess[str]:
        with pytest.raises(SystemExit) as left:
            cli.main(list(words))
        text = capfd.readouterr()
        return CompletedProcess(words, int(left.value.code or 0), text.out, text.err)

    return command
