"""`python -m samestep` is `samestep`."""

from samestep.benchmarks.cli import main

if __name__ == "__main__":
    main()
