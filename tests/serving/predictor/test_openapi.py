"""The OpenAPI description says what the routes do: schemathesis makes requests up from it."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import httpx

from tests.servers.predictor import Predictor

SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"
CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_routes_do_what_the_description_says(predictor: Predictor, tmp_path: Path) -> None:
    command = [SCHEMATHESIS, "--config-file", CONFIG, "run", f"{predictor.url}/openapi.json"]
    # One thread: CPython 3.11 fails now and then where two compile at once, as schemathesis does.
    options = ["--max-examples=10", "--workers=1", "--seed=6", "--phases=coverage,fuzzing"]
    done = subprocess.run(
        [*command, *options, "--no-color"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "13 selected / 13 total" in done.stdout
    assert "a fault of the server" not in predictor.log.read_text()


def test_description_names_every_route(predictor: Predictor) -> None:
    described = httpx.get(f"{predictor.url}/openapi.json").json()
    assert set(described["paths"]) == {
        "/",
        "/metrics",
        "/read",
        "/v1/models",
        "/v1/models/plateflow",
        "/v1/models/plateflow:predict",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models",
        "/v2/models/plateflow",
        "/v2/models/plateflow/infer",
        "/v2/models/plateflow/ready",
    }
