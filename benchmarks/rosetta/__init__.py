"""Rosetta: how each concept of the lesson is written in the three frameworks, every line of it run.

`phrases` and `loss_phrases` hold the lines, `traps` what goes wrong between frameworks, `run` executes both, and
`page` writes docs/rosetta.md from what came out.
"""

from benchmarks.rosetta.page import page

__all__ = ["page"]
