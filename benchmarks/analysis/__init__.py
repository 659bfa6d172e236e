"""A record to figures: samples, gates, verdicts, summaries, what changed; no I/O and no formatting."""
