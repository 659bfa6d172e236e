"""The suite's own acceptance experiments: commands with committed results, too long for the tests."""
