"""What a chart is on the page: never a picture alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..tables import Table
from .lane_style import Look


@dataclass
class Figure:
    """A chart: title, what it says, its Vega-Lite specification, and its figures as a table.

    Without a specification it is the table alone. `number` is its place among all specifications of the page.
    """

    title: str
    says: str
    spec: dict[str, Any] | None
    table: Table
    legend: list[Look] = field(default_factory=list)
    wide: bool = False
    number: int = 0
