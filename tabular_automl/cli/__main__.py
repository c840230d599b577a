"""Run the command line as ``python -m tabular_automl.cli``."""

import sys

from tabular_automl.cli.main import main

sys.exit(main())
