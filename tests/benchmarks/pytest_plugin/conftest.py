"""The race that the tests of the plugin share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.raced import Raced


@pytest.fixture(scope="session")
def raced(smoke: tuple[Path, object], tmp_path_factory: pytest.TempPathFactory) -> Raced:
    found = Raced(smoke[0], tmp_path_factory.mktemp("raced"))
    assert found.done.returncode == 0, found.done.stdout + found.done.stderr
    return found
