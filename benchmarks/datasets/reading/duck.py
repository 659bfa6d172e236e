"""A database of DuckDB that may read the files that are named, and nothing else: no other path, no network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..libraries import require

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOCKED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
}


def connection(*paths: Path) -> DuckDBPyConnection:
    """A database in memory that may read these files alone."""
    duckdb = require("duckdb")
    made: DuckDBPyConnection = duckdb.connect(":memory:", config=LOCKED)
    made.execute("SET python_enable_replacements = false")
    allowed = [spelling for path in paths for spelling in (str(path), os.path.realpath(path))]
    made.execute("SET allowed_paths = ?", [allowed])
    made.execute("SET enable_external_access = false")
    made.execute("SET lock_configuration = true")
    return made
