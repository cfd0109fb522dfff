"""The servers that are measured, and how each is started."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from serving.bench.figures import OURS
from serving.bench.peers import torchserve
from serving.bench.peers.image_reader import peer_environment
from serving.bench.protocol import MODEL_NAME, OpenInference, RawBody, WireFormat
from serving.bench.server import BenchError, Command, Server, free_ports
from serving.predictor.settings import predictor_settings
from serving.triton.repository import render
from serving.triton.server import start_command
from sub_module.export.runtime import OnnxDetector
from sub_module.machine import num_cores

# What the peers read with; also ours, where it is compared with them like for like.
PEER_ENGINE = ("onnxruntime", "float32")
_READ = RawBody("/read")
# How many may wait in Triton and TorchServe: neither is to turn one of 100 away.
_QUEUE = 1024
# Given the model and a folder of its own.
_Start = Callable[[Path, Path], Server]


@dataclass(frozen=True)
class Architecture:
    """One way to serve the model.

    Attributes:
        name: For `--only`, and in the raw figures.
        title: For people.
        engine: Runtime and precision that it reads with.
        workers: Processes that read.
        wire: How it is asked.
        start: Starts it in a folder of its own, on a free port.
    """

    name: str
    title: str
    engine: tuple[str, str]
    workers: int
    wire: WireFormat
    start: Callable[[Path], Server]

    def start_in(self, parent: Path) -> Server:
        """Start it in a new folder of its own, which has its name."""
        folder = parent / self.name
        folder.mkdir()
        return self.start(folder)


def architectures(model_dir: Path, overrides: dict[str, Any]) -> list[Architecture]:
    """All of them, the peers first.

    Args:
        model_dir: The exported model that all serve.
        overrides: Of `configs/serving/predictor.py`, for ours.

    Raises:
        ConfigError: There is no such setting.
        ModelError: There is no such model, or not with such an engine.
    """
    settings = predictor_settings(overrides)
    runtime = settings.engine.runtime
    engine = (runtime, OnnxDetector(model_dir, 1, runtime, settings.engine.precision).precision)
    cores, torch_wire = num_cores(), RawBody(torchserve.PATH)

    def peer(
        name: str, title: str, workers: int, start: _Start, wire: WireFormat = _READ
    ) -> Architecture:
        started = partial(start, model_dir)
        return Architecture(name, title, PEER_ENGINE, workers, wire, started)

    def our(
        name: str, title: str, engine: tuple[str, str], changes: dict[str, Any]
    ) -> Architecture:
        workers = changes.get("workers", settings.workers)
        start = partial(_start_ours, overrides | changes, model_dir)
        return Architecture(name, title, engine, workers, _READ, start)

    other = 2 if settings.workers == 1 else 1
    like_for_like = dict(zip(("engine.runtime", "engine.precision"), PEER_ENGINE, strict=True))
    return [
        peer("fastapi_sync", "FastAPI, `def`", 1, partial(_start_fastapi, "fastapi_sync")),
        peer("fastapi_async", "FastAPI, `async def`", 1, partial(_start_fastapi, "fastapi_async")),
        peer("litserve", "LitServe", cores, _start_litserve),
        peer("torchserve", "TorchServe", cores, partial(_start_torchserve, False), torch_wire),
        peer(
            "torchserve_batched",
            "TorchServe, tuned: batches",
            cores,
            partial(_start_torchserve, True),
            torch_wire,
        ),
        peer("triton", "Triton, Python backend", cores, _start_triton, OpenInference()),
        our(OURS, "ours", engine, {}),
        our(f"ours_{other}", f"ours, {other} worker{'s'[: other > 1]}", engine, {"workers": other}),
        our("ours_as_peers", "ours, with the others' engine", PEER_ENGINE, like_for_like),
    ]


def chosen(every: list[Architecture], names: list[str]) -> list[Architecture]:
    """Those with these names; all if there are none.

    Raises:
        BenchError: There is none of a name.
    """
    known = {each.name: each for each in every}
    for name in names:
        if name not in known:
            raise BenchError(f"--only {name}: there are {', '.join(known)}")
    return [known[name] for name in names] if names else every


def _start_fastapi(module: str, model_dir: Path, folder: Path) -> Server:
    [port] = free_ports(1)
    app = f"serving.bench.peers.{module}:create_app"
    argv = [sys.executable, "-m", "uvicorn", "--factory", app, "--no-access-log"]
    return Server(Command([*argv, "--port", str(port)], folder, peer_environment(model_dir)), port)


def _start_litserve(model_dir: Path, folder: Path) -> Server:
    [port] = free_ports(1)
    argv = [sys.executable, "-m", "serving.bench.peers.litserve_server"]
    argv += ["--port", str(port), "--workers", str(num_cores())]
    return Server(Command(argv, folder, peer_environment(model_dir)), port)


def _start_torchserve(batched: bool, model_dir: Path, folder: Path) -> Server:
    ports = free_ports(5)
    command = torchserve.command(folder, ports, batched, _QUEUE, peer_environment(model_dir))
    return Server(command, ports[0])


def _start_triton(model_dir: Path, folder: Path) -> Server:
    runtime, precision = PEER_ENGINE
    changes = {
        "model_name": MODEL_NAME,
        "engine.runtime": runtime,
        "engine.precision": precision,
        "limits.queued_images": _QUEUE,
    }
    repository = folder / "repository"
    render(model_dir, repository, predictor_settings(changes))
    http_port, grpc_port, metrics_port = free_ports(3)
    start = start_command(repository, http_port, grpc_port, metrics_port)
    return Server(Command(start.argv, folder, start.env), http_port)


def _start_ours(overrides: dict[str, Any], model_dir: Path, folder: Path) -> Server:
    [port] = free_ports(1)
    # It serves gRPC as well, as it ships: any port that is free.
    argv = [sys.executable, "-m", "serving.predictor", "--model", str(model_dir)]
    for key, value in (overrides | {"http_port": port, "grpc_port": 0}).items():
        argv += ["--set", f"{key}={json.dumps(value)}"]
    return Server(Command(argv, folder), port)
