"""`python -m serving.demo`: the page as the container starts it."""

from __future__ import annotations

import argparse
import sys

from serving.client import client_settings
from serving.demo.server import serve_page
from serving.demo.settings import demo_settings
from sub_module.engine.config import load_config, parse_overrides
from sub_module.errors import PlateflowError
from sub_module.plates import PlateStandard


def main() -> int:
    """Serve the page; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m serving.demo", description=__doc__)
    parser.add_argument("--url", help="the model server; default: where `serve` listens")
    parser.add_argument(
        "--config", default="plate_training", help="a pipeline config that names the plates"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of configs/serving/demo.py"
    )
    given = parser.parse_args()
    try:
        serve_page(
            demo_settings(parse_overrides(given.set)),
            client_settings({} if given.url is None else {"url": given.url}),
            PlateStandard.from_config(load_config(given.config)["plates"]),
            lambda line: print(line, file=sys.stderr, flush=True),
        )
    except PlateflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
