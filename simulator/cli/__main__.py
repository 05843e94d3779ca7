"""python3 -m simulator.cli: the command `heterode`."""

import sys

from simulator.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
