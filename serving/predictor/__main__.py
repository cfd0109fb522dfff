"""What the container runs: `python -m serving.predictor [--model DIR] [--set KEY=VALUE]...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sub_module.errors import PlateflowError


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop.

    Args:
        arguments: Of the command line; None: the process' own.

    Returns:
        The exit code: 0, or 2 for a user's mistake.
    """
    parser = argparse.ArgumentParser(prog="python -m serving.predictor", description=__doc__)
    parser.add_argument(
        "--model",
        type=Path,
        help="an exported model's directory, or a checkpoint; default: the deployed model, else "
        "the one that comes with Plateflow",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of configs/serving/predictor.py; repeatable",
    )
    parser.add_argument(
        "--standard",
        metavar="NAME|FILE",
        help="the plates to read: the name of a plate standard, or a file with one; default: those "
        "that the model was trained for",
    )
    given = parser.parse_args(arguments)
    try:
        run(given.model, given.set, given.standard)
    except PlateflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run(model_dir: Path | None, assignments: list[str], standard: str | None = None) -> None:
    """Serve, and say where.

    Args:
        model_dir: None: the model in use, or the one for the standard.
        assignments: `KEY=VALUE` each.
        standard: In the place of the config's; None: as the config says.

    Raises:
        PlateflowError: The settings, the model or a port cannot be used.
    """
    from serving.predictor.settings import predictor_settings
    from sub_module.engine.config import parse_overrides
    from sub_module.engine.shipped import model_to_open
    from sub_module.settings import Settings

    changes = {} if standard is None else {"standard": standard}
    settings = predictor_settings(parse_overrides(assignments) | changes)
    model_dir, _ = model_to_open(Settings().home, model_dir, settings.standard)
    # After the settings are known to be right: these take a second to import.
    from serving.predictor.logs import configure_logs
    from serving.predictor.server import serve

    configure_logs()
    serve(settings, model_dir, _announce)


def _announce(url: str, grpc_address: str | None) -> None:
    grpc = "" if grpc_address is None else f", gRPC at {grpc_address}"
    print(f"Plateflow reads plates at {url}{grpc} (Ctrl-C ends it)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
