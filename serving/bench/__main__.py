"""`python -m serving.bench`: our model server beside others, in turn, on this machine."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from serving.bench.architectures import architectures, chosen
from serving.bench.figures import OURS
from serving.bench.measure import measure
from serving.bench.plots import write_plots
from serving.bench.report import report
from serving.bench.settings import QUICK, bench_settings
from serving.bench.soak import soak, soak_report
from sub_module.engine.config import parse_overrides
from sub_module.engine.infer import SHIPPED_MODEL
from sub_module.errors import PlateflowError
from sub_module.files import write_json, write_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code is 2 where that cannot be done."""
    options = _parser().parse_args(arguments)
    # Whoever ends this ends the servers too, which are groups of processes of their own.
    signal.signal(signal.SIGTERM, _end)
    try:
        _run(options)
    except PlateflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # The servers have been stopped on the way here.
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving.bench", description=__doc__)
    parser.add_argument(
        "--model", type=Path, default=SHIPPED_MODEL, help="an exported model's directory"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="measure this server only, such as ours or litserve; repeatable; default: all, with "
        "--soak ours",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/bench-serving"),
        help="where figures, report and plots go; default: %(default)s",
    )
    parser.add_argument("--quick", action="store_true", help="seconds; the figures mean nothing")
    parser.add_argument(
        "--soak", action="store_true", help="instead: the memory of one worker over many requests"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of configs/serving/bench.py; repeatable",
    )
    parser.add_argument(
        "--serve-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of configs/serving/predictor.py for our server, such as engine.precision=int8; "
        "repeatable",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    quick = QUICK if options.quick else {}
    settings = bench_settings(quick | parse_overrides(options.set))
    every = architectures(options.model, parse_overrides(options.serve_set))
    options.out.mkdir(parents=True, exist_ok=True)
    if options.soak:
        [architecture] = chosen(every, options.only or [OURS])
        memory = soak(options.model, architecture, settings)
        write_json(options.out / "soak.json", memory.to_dict())
        text = soak_report(memory, options.out)
        write_text(options.out / "soak.md", text)
    else:
        figures = measure(options.model, chosen(every, options.only), settings)
        write_json(options.out / "figures.json", figures.to_dict())
        text = report(figures)
        write_text(options.out / "report.md", text)
        write_plots(figures, options.out)
    print(text)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
