"""How TorchServe is started: an archive, a config, folders and ports of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from serving.bench.server import BenchError, Command
from sub_module.machine import num_cores

_NAME = "plateflow"
PATH = f"/predictions/{_NAME}"
# Requests that a worker gets at a time, at most, and milliseconds to wait for them, of which there
# is no less: the fastest that was found.
_BATCHED = {"batchSize": 8, "maxBatchDelay": 1}
_BIN = Path(sys.executable).parent
_HANDLER = Path(__file__).with_name("torchserve_handler.py")


def command(
    folder: Path,
    ports: Sequence[int],
    batched: bool,
    queue: int,
    environment: Mapping[str, str],
) -> Command:
    """Write what TorchServe wants to find, and say how to start it.

    Args:
        folder: Of this server.
        ports: Five that are free; the first is asked for readings.
        batched: Whether it is tuned; else as its documentation starts it, with a worker a core and
            one request at a time.
        queue: Requests that may wait.
        environment: For its workers.

    Raises:
        BenchError: The archive cannot be made.
    """
    store = folder / "store"
    store.mkdir()
    _archive(store)
    inference, management, metrics, grpc, grpc_management = ports
    config = {
        "inference_address": f"http://127.0.0.1:{inference}",
        "management_address": f"http://127.0.0.1:{management}",
        "metrics_address": f"http://127.0.0.1:{metrics}",
        "grpc_inference_port": grpc,
        "grpc_management_port": grpc_management,
        "model_store": store,
        "load_models": f"{_NAME}.mar",
        "job_queue_size": queue,
        # It would start a process a minute to look at the machine, beside the measurement.
        "disable_system_metrics": "true",
    }
    if batched:
        workers = {"minWorkers": num_cores(), "maxWorkers": num_cores()}
        model = {"defaultVersion": True, "marName": f"{_NAME}.mar", **workers, **_BATCHED}
        config["models"] = json.dumps({_NAME: {"1": model}})
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
