"""`python -m benchmarks` is `samestep`."""

from benchmarks.cli import main

if __name__ == "__main__":
    main()
