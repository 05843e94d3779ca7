"""python3 -m heterode: the command `heterode`."""

import sys

from heterode.cli import main

if __name__ == "__main__":
    sys.exit(main())
