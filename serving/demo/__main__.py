"""`python -m serving.demo`: the page as the container starts it."""

from __future__ import annotations

import argparse
import sys

from serving.demo.server import serve_page
from serving.demo.settings import asked_and_drawn, demo_settings
from sub_module.engine.config import parse_overrides
from sub_module.errors import PlateflowError


def main() -> int:
    """Serve the page; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m serving.demo", description=__doc__)
    parser.add_argument("--url", help="the model server; default: where `serve` listens")
    parser.add_argument(
        "--config", default="plate_training", help="a pipeline config that names the plates"
    )
    parser.add_argument(
        "--standard", help="the plates that are chosen when the page opens: a name, or a file"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of configs/serving/demo.py"
    )
    given = parser.parse_args()
    try:
        settings = demo_settings(parse_overrides(given.set))
        asked, plates = asked_and_drawn(given.url, given.standard, given.config)
        serve_page(settings, asked, plates, lambda line: print(line, file=sys.stderr, flush=True))
    except PlateflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
