"""`python -m serving.triton`: write a model repository for Triton, or start Triton on one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from serving.predictor.settings import predictor_settings
from serving.triton.repository import render
from serving.triton.server import start_command
from sub_module.engine.config import parse_overrides
from sub_module.errors import DataError, PlateflowError
from sub_module.files import reason_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 2 where it cannot be run."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (PlateflowError, OSError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        print(f"error: {reason}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.triton", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("render", help="write a model repository")
    command.add_argument("model", type=Path, help="directory of an exported model")
    command.add_argument("out", type=Path, help="the repository, a new directory")
    command.add_argument(
        "--backend",
        choices=["python", "onnxruntime"],
        default="python",
        help="what runs the detector's graph: Triton's Python backend or its own onnxruntime",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of configs/serving/predictor.py, such as engine.precision=int8",
    )
    command.set_defaults(run=_render)
    command = commands.add_parser("start", help="start Triton on a model repository")
    command.add_argument("repository", type=Path, help="what `render` wrote")
    command.add_argument(
        "--host",
        default="127.0.0.1",
        help="where it listens; default: %(default)s, this machine only; 0.0.0.0: for others too",
    )
    for name, port, what in (
        ("http", 8000, "V2 over HTTP"),
        ("grpc", 8001, "V2 over gRPC"),
        ("metrics", 8002, "Prometheus metrics"),
    ):
        command.add_argument(
            f"--{name}-port",
            type=int,
            default=port,
            metavar="PORT",
            help=f"of {what}; default: %(default)s",
        )
    command.set_defaults(run=_start)
    return parser


def _render(options: argparse.Namespace) -> None:
    settings = predictor_settings(parse_overrides(options.set))
    render(options.model, options.out, settings, options.backend)
    print(f"{options.out}: model {settings.model_name}, for `python -m serving.triton start`")


def _start(options: argparse.Namespace) -> None:
    if not any(options.repository.glob("*/config.pbtxt")):
        raise DataError(f"{options.repository}: no model repository; `render` writes one")
    ports = options.http_port, options.grpc_port, options.metrics_port
    command = start_command(options.repository, *ports, host=options.host)
    # Signals go to Triton, and its exit code to whoever asked.
    os.execvpe(command.argv[0], command.argv, command.env)


if __name__ == "__main__":
    sys.exit(main())
