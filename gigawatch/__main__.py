"""`python -m gigawatch` is `gigawatch`."""

import sys

from gigawatch.cli import main

sys.exit(main())
