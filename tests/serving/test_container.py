"""The container that KServe starts, with the arguments and probes of the InferenceService."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.inference_service import serving_of
from cluster.served import Release, Served
from cluster.service_body import service_body
from cluster.settings import cluster_of
from serving.predictor.settings import predictor_settings
from sub_module.engine.config import load_config
from sub_module.engine.infer import SHIPPED_MODEL
from tests.standards import REPOSITORY

STARTS_IN_SECONDS = 60


def pod(**more: Any) -> dict[str, Any]:
    """As a cluster gets it, with gRPC."""
    keys = {"mode": "Standard", "name": "plates", **more}
    changes = {f"cluster.serving.{key}": value for key, value in keys.items()}
    cluster = cluster_of(load_config("plate_training", changes))
    serving = serving_of(cluster)
    served = Served(Release("pvc://plateflow/models/m", serving.image))
    predictor = service_body(served, cluster, serving, "plateflow")["spec"]["predictor"]
    assert isinstance(predictor, dict)
    return predictor


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    assert isinstance(only, dict)
    return only


def command(arguments: list[str], ports: dict[int, int]) -> list[str]:
    """What the image runs with them, on this machine's model and free ports."""
    dockerfile = (REPOSITORY / "serving" / "predictor" / "Dockerfile").read_text()
    entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", dockerfile, re.M)[1])  # type: ignore[index]
    assert entry[0] == "python"
    here = [sys.executable, *entry[1:]]
    for argument in arguments:
        if argument == "/mnt/models":
            argument = str(SHIPPED_MODEL)
        key, _, value = argument.partition("=")
        here.append(f"{key}={ports[int(value)]}" if key.endswith("_port") else argument)
    return here


@pytest.fixture
def free_ports() -> dict[int, int]:
    with socket.socket() as http, socket.socket() as grpc:
        for each in (http, grpc):
            each.bind(("127.0.0.1", 0))
        return {8080: http.getsockname()[1], 8081: grpc.getsockname()[1]}


@pytest.fixture
def process(free_ports: dict[int, int]) -> Iterator[subprocess.Popen[bytes]]:
    started = command(container()["args"], free_ports)
    environment = {**os.environ, "PLATEFLOW_SERVE_TOKEN": "a-token"}
    with subprocess.Popen(started, cwd=REPOSITORY, env=environment) as running:
        yield running
        running.kill()


def status(port: int, path: str, body: bytes | None = None, **headers: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_it_starts_answers_and_ends(
    process: subprocess.Popen[bytes], free_ports: dict[int, int]
) -> None:
    port = free_ports[8080]
    # A kubelet has no token.
    ready, live = (
        container()[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")
    )
    until = time.monotonic() + STARTS_IN_SECONDS
    while status(port, ready) != 200:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    assert status(port, live) == 200
    with socket.create_connection(("127.0.0.1", free_ports[8081]), 5):
        """gRPC is there too."""
    image = (REPOSITORY / "docs" / "samples").glob("*.jpg")
    path, body = "/v1/models/plates:predict", {"instances": []}
    assert status(port, path, json.dumps(body).encode()) == 401, "the secret's token counts"
    token = {"Authorization": "Bearer a-token"}
    assert status(port, "/read", next(image).read_bytes(), **token) == 200
    assert status(port, "/v2/models/plates", **token) == 200, "it is called as the service is"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_pod_waits_for_its_server() -> None:
    settings = predictor_settings()
    program, seconds = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert shutil.which(program), "Debian's coreutils, which the image has too"
    assert int(seconds) >= 5, "it answers until the load balancers know"
    assert pod()["terminationGracePeriodSeconds"] > int(seconds) + settings.drain_seconds
    longer = pod(predictor={"drain_seconds": 99.5})
    assert longer["terminationGracePeriodSeconds"] > int(seconds) + 99.5
    assert pod()["timeout"] >= settings.limits.deadline_seconds
