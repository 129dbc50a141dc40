"""`python -m bridge.verify DIRECTORY…`: judge journals that a demo wrote with `--journals`."""

import sys

from bridge.verify.report import main

sys.exit(main(sys.argv[1:]))
