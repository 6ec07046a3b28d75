"""`python -m gigawatch_dashboards`."""

import sys

from gigawatch_dashboards.cli import main

sys.exit(main())
