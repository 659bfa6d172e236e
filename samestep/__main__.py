"""`python -m samestep` is `samestep`.

Python puts the current folder first in its path here. Nothing is imported from it: a file of the user's own that
is called numpy.py or json.py is theirs. The folder stays only where this package itself lies in it: in a checkout
that is not installed.
"""

import os
import sys

here, home = os.getcwd(), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if not sys.flags.safe_path and sys.path[0] in ("", here) and not os.path.samefile(here, home):
    del sys.path[0]

from samestep.benchmarks.cli import main  # noqa: E402 - after the path is cleared

if __name__ == "__main__":
    main()
