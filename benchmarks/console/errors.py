"""The one error that a user's input causes: the command line prints its line and exits 2."""


class InputError(ValueError):
    """Bad input or usage. The message is one line: what, where, and how to fix it."""
