"""``python -m torchlinear.commands`` is the command `torchlinear`."""

import sys

from torchlinear.commands import main

if __name__ == "__main__":
    sys.exit(main())
