"""The servers that are measured, and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from serving.bench.peers import torchserve
from serving.bench.peers.image_reader import peer_environment
from serving.bench.protocol import MODEL_NAME, OpenInference, RawBody, WireFormat
from serving.bench.server import BenchError, Command, Server, free_ports
from serving.bench.settings import BenchSettings
from serving.predictor.settings import PredictorSettings
from serving.triton.repository import render
from serving.triton.server import start_command
from sub_module.export.runtime import OnnxDetector

# What the peers read with; also ours, where it is compared with them like for like.
PEER_ENGINE = ("onnxruntime", "float32")
_READ = RawBody("/read")
# How many may wait in any of the servers: none is to turn a request away in these protocols.
_QUEUE = 1024


@dataclass(frozen=True)
class Architecture:
    """One way to serve the model.

    Attributes:
        name: For `--only`, and in the raw figures.
        title: For people.
        engine: Runtime and precision that it reads with.
        wire: How it is asked.
        start: Starts it in a folder of its own, on a free port.
    """

    name: str
    title: str
    engine: tuple[str, str]
    wire: WireFormat
    start: Callable[[Path], Server]

    @property
    def is_ours(self) -> bool:
        """Whether it is the model server of `serving.predictor`."""
        return self.name.startswith("ours")


def architectures(
    model_dir: Path, settings: BenchSettings, ours: PredictorSettings
) -> list[Architecture]:
    """All of them, the peers first.

    Args:
        model_dir: The exported model that all serve.
        settings: Of the benchmark.
        ours: Of our model server; its engine is what `ours` reads with.

    Raises:
        ModelError: There is no such model, or not with such an engine.
    """
    peers = [
        _peer("fastapi_sync", "FastAPI, `def`", _start_fastapi, model_dir, settings),
        _peer("fastapi_sync_2", "FastAPI, `def`, 2 workers", _start_fastapi, model_dir, settings),
        _peer("fastapi_async", "FastAPI, `async def`", _start_fastapi, model_dir, settings),
        _peer("litserve", "LitServe", _start_litserve, model_dir, settings),
        _peer("torchserve", "TorchServe", _start_torchserve, model_dir, settings),
    ]
    triton = Architecture(
        "triton",
        "Triton, Python backend",
        PEER_ENGINE,
        OpenInference(),
        partial(_start_triton, model_dir, ours),
    )
    runtime = ours.engine.runtime
    engine = (runtime, OnnxDetector(model_dir, 1, runtime, ours.engine.precision).precision)
    all_of_ours = [_ours(model_dir, workers, engine) for workers in (1, 2)]
    if engine != PEER_ENGINE:
        # With what the peers read with: what the server is worth, apart from its engine.
        all_of_ours.append(_ours(model_dir, 1, PEER_ENGINE, "_as_peers"))
    return [*peers, triton, *all_of_ours]


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


def _peer(
    name: str,
    title: str,
    start: Callable[[str, Path, BenchSettings, Path], Server],
    model_dir: Path,
    settings: BenchSettings,
) -> Architecture:
    wire = RawBody(torchserve.PATH) if name == "torchserve" else _READ
    return Architecture(name, title, PEER_ENGINE, wire, partial(start, name, model_dir, settings))


def _ours(model_dir: Path, workers: int, engine: tuple[str, str], suffix: str = "") -> Architecture:
    return Architecture(
        f"ours_{workers}{suffix}",
        f"ours, {workers} worker{'s'[: workers > 1]} ({', '.join(engine)})",
        engine,
        _READ,
        partial(_start_ours, model_dir, workers, engine),
    )


def _start_fastapi(name: str, model_dir: Path, settings: BenchSettings, folder: Path) -> Server:
    peer = settings.peers[name]
    [port] = free_ports(1)
    module = name.removesuffix("_2")
    app = f"serving.bench.peers.{module}:create_app"
    argv = [sys.executable, "-m", "uvicorn", "--factory", app, "--no-access-log"]
    argv += ["--port", str(port), "--workers", str(peer.workers)]
    return Server(name, Command(argv, folder, peer_environment(model_dir, peer.threads)), port)


def _start_litserve(name: str, model_dir: Path, settings: BenchSettings, folder: Path) -> Server:
    peer = settings.peers[name]
    [port] = free_ports(1)
    argv = [sys.executable, "-m", "serving.bench.peers.litserve_server"]
    argv += ["--port", str(port), "--workers", str(peer.workers)]
    return Server(name, Command(argv, folder, peer_environment(model_dir, peer.threads)), port)


def _start_torchserve(name: str, model_dir: Path, settings: BenchSettings, folder: Path) -> Server:
    peer = settings.peers[name]
    ports = free_ports(5)
    environment = peer_environment(model_dir, peer.threads)
    command = torchserve.command(folder, ports, peer.workers, _QUEUE, environment)
    return Server(name, command, ports[0])


def _start_triton(model_dir: Path, ours: PredictorSettings, folder: Path) -> Server:
    runtime, precision = PEER_ENGINE
    engine = ours.engine.model_copy(update={"runtime": runtime, "precision": precision})
    limits = ours.limits.model_copy(update={"queued_images": _QUEUE})
    settings = ours.model_copy(
        update={"model_name": MODEL_NAME, "engine": engine, "limits": limits}
    )
    repository = folder / "repository"
    render(model_dir, repository, settings)
    http_port, grpc_port, metrics_port = free_ports(3)
    start = start_command(repository, http_port, grpc_port, metrics_port)
    return Server("triton", Command(start.argv, folder, start.env), http_port)


def _start_ours(model_dir: Path, workers: int, engine: tuple[str, str], folder: Path) -> Server:
    [port] = free_ports(1)
    runtime, precision = engine
    changes = {
        "http_port": port,
        "grpc_port": 0,
        "workers": workers,
        "engine.runtime": runtime,
        "engine.precision": precision,
        "limits.queued_images": _QUEUE,
    }
    argv = [sys.executable, "-m", "serving.predictor", "--model", str(model_dir)]
    for key, value in changes.items():
        argv += ["--set", f"{key}={value}"]
    return Server(f"ours with {workers} worker(s)", Command(argv, folder), port)
