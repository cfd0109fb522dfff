"""How TorchServe is started: an archive, a config, folders and ports of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from serving.bench.server import BenchError, Command

_NAME = "plateflow"
PATH = f"/predictions/{_NAME}"
# Requests that a worker gets at a time, at most: faster than one (found by trying).
_BATCH = 8
_BIN = Path(sys.executable).parent
_HANDLER = Path(__file__).with_name("torchserve_handler.py")


def command(
    folder: Path,
    ports: Sequence[int],
    workers: int,
    queue: int,
    environment: Mapping[str, str],
) -> Command:
    """Write what TorchServe wants to find, and say how to start it.

    Args:
        folder: Of this server.
        ports: Five that are free; the first is asked for readings.
        workers: Processes that read.
        queue: Requests that may wait.
        environment: For its workers.

    Raises:
        BenchError: The archive cannot be made.
    """
    store = folder / "store"
    store.mkdir()
    _archive(store)
    inference, management, metrics, grpc, grpc_management = ports
    model = {
        "defaultVersion": True,
        "marName": f"{_NAME}.mar",
        "minWorkers": workers,
        "maxWorkers": workers,
        "batchSize": _BATCH,
        # Milliseconds, the least there is: who comes alone need not wait for others.
        "maxBatchDelay": 1,
    }
    config = {
        "inference_address": f"http://127.0.0.1:{inference}",
        "management_address": f"http://127.0.0.1:{management}",
        "metrics_address": f"http://127.0.0.1:{metrics}",
        "grpc_inference_port": grpc,
        "grpc_management_port": grpc_management,
        "model_store": store,
        "load_models": f"{_NAME}.mar",
        "models": json.dumps({_NAME: {"1": model}}),
        "job_queue_size": queue,
        # It would start a process a minute to look at the machine, beside the measurement.
        "disable_system_metrics": "true",
    }
    path = folder / "config.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in config.items()))
    argv = [str(_BIN / "torchserve"), "--start", "--foreground", "--disable-token-auth"]
    argv += ["--no-config-snapshots", "--ts-config", str(path), "--model-store", str(store)]
    # TMPDIR: it keeps a note of the one TorchServe of a machine there. Its Java asks for `python`.
    own = {"TMPDIR": str(folder), "LOG_LOCATION": str(folder), "METRICS_LOCATION": str(folder)}
    return Command(argv, folder, own | dict(environment))


def _archive(store: Path) -> None:
    argv = [str(_BIN / "torch-model-archiver"), "--model-name", _NAME, "--version", "1"]
    argv += ["--handler", str(_HANDLER), "--export-path", str(store)]
    made = subprocess.run(argv, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise BenchError(f"torch-model-archiver: {made.stderr.strip()[-300:]}")
