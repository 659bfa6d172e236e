"""Rosetta: how each concept of the lesson is written in the three frameworks, every line of it run.

`phrases`, `loss_phrases` and `option_phrases` hold the lines, `traps` and `loss_traps` what goes wrong between
frameworks, `run` executes both, and `page` writes docs/rosetta.md from what came out.
"""

from .page import page

__all__ = ["page"]
