"""Run the command line as ``python -m tabular_automl.cli``."""

import sys

from tabular_automl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
