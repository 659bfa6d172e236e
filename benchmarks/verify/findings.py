"""What a verification compared, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..console.escapes import visible

MOST_SHOWN = 20


@dataclass
class Findings:
    """What was compared, what disagrees, what could not be checked, and what else there is to say, a line each.

    `same_code`: the record was made by this version of the code, so that what the code declares must be in it.
    """

    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    same_code: bool = True
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Count something that was worked out again."""
        self.counts[what] = self.counts.get(what, 0) + number

    def compare(self, what: str, agrees: bool, fault: str) -> None:
        """Count a comparison, and note the fault if it does not agree."""
        self.count(what)
        if not agrees:
            self.wrong.append(fault)

    def declared(self, what: str, agrees: bool, fault: str) -> None:
        """Compare with what the code declares; of another version's declarations nothing is known."""
        if agrees or self.same_code:
            self.compare(what, agrees, fault)
        else:
            self.skip(f"{fault}; made by another version of the code")

    def skip(self, what: str) -> None:
        """Note once what cannot be checked."""
        if what not in self.unchecked:
            self.unchecked.append(what)

    def data(self) -> dict[str, Any]:
        """The findings as plain values, all that disagree among them."""
        return {
            "verified": not self.wrong,
            "worked_out_again": self.counts,
            "notes": self.notes,
            "not_checked": self.unchecked,
            "disagrees": self.wrong,
        }

    def text(self) -> str:
        """The findings as plain text."""
        done = [f"{count:,} {what}" for what, count in self.counts.items()]
        lines = [f"worked out again: {', '.join(done) or 'nothing'}"]
        lines += self.notes
        lines += [f"not checked: {line}" for line in self.unchecked]
        lines += [f"DISAGREES: {line}" for line in self.wrong[:MOST_SHOWN]]
        if len(self.wrong) > MOST_SHOWN:
            lines.append(f"and {len(self.wrong) - MOST_SHOWN} more")
        if self.wrong:
            lines.append(f"{len(self.wrong)} disagree")
        else:
            lines.append("verified, but for what was not checked" if self.unchecked else "verified")
        return "\n".join(map(visible, lines))
