"""What Prometheus is told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.predictor.errors import BusyError, RequestError, TooLargeError
from serving.predictor.metrics import PredictorMetrics
from serving.predictor.reader import PlateReader
from serving.predictor.settings import predictor_settings
from sub_module.engine.infer import SHIPPED_MODEL
from tests.dataset_tools.drawn import draw


def value(metrics: PredictorMetrics, metric: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"plateflow_{metric}", labels)


def test_reader_counts_what_it_reads(tmp_path):
    draw(tmp_path / "set", 6)
    images = [path.read_bytes() for path in sorted((tmp_path / "set").rglob("*.jpg"))]
    settings = predictor_settings()
    reader = PlateReader(settings, SHIPPED_MODEL)
    metrics = reader.metrics
    assert value(metrics, "queue_capacity_images") == 0
    reader.start()
    answers = asyncio.run(reader.read_all(images))
    reader.close()

    assert value(metrics, "queue_capacity_images") == settings.limits.queued_images
    assert value(metrics, "queued_images") == 0
    assert value(metrics, "batch_images_sum") == 6
    told = {name: reader.model[name] for name in ("name", "version")}
    assert value(metrics, "model_info", **told) == 1
    for stage in ("queue", "decode", "read"):
        assert value(metrics, "stage_seconds_count", stage=stage) == 6
        wanted = sum(answer.timings_ms[stage] for answer in answers) / 1e3
        assert value(metrics, "stage_seconds_sum", stage=stage) == pytest.approx(wanted)
    layouts = [reading.layout for answer in answers for reading in answer.readings]
    assert layouts
    for layout in set(layouts):
        assert value(metrics, "plates_total", layout=layout) == layouts.count(layout)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RequestError("?"), "invalid"),
        (TooLargeError("?"), "too_large"),
        (BusyError("?", 1.0), "busy"),
        (ZeroDivisionError(), "fault"),
    ],
)
def test_answered_request(error, reason):
    metrics = PredictorMetrics()
    assert value(metrics, "rejected_total", reason=reason) == 0
    metrics.answered("v1", 200, 0.25)
    metrics.answered("v1", 503, 0.75, error)
    assert value(metrics, "requests_total", protocol="v1", code="200") == 1
    assert value(metrics, "requests_total", protocol="v1", code="503") == 1
    assert value(metrics, "request_seconds_sum", protocol="v1") == 1
    assert value(metrics, "rejected_total", reason=reason) == 1


def test_every_name_that_dashboards_and_scaling_use():
    metrics = PredictorMetrics()
    text = generate_latest(metrics.registry).decode()
    families = {family.name for family in text_string_to_metric_families(text)}
    names = (
        "requests request_seconds stage_seconds batch_images queued_images queue_capacity_images "
        "plates rejected model_info"
    )
    assert families >= {f"plateflow_{name}" for name in names.split()}


def test_workers_add_up(tmp_path):
    """prometheus_client's way for several processes: each writes files, whoever is asked adds."""
    program = """
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from serving.predictor.metrics import PredictorMetrics
import os, sys
metrics = PredictorMetrics()
metrics.model_loaded("m", "v", 64)
metrics.queued(3)
metrics.answered("read", 200, 0.1)
if sys.argv[1:]:
    print(flush=True)
    sys.stdin.read()
else:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    print(generate_latest(registry).decode())
"""
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": "."}
    command = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "wait"], env=environment, **pipes) as other:
        assert other.stdout.readline() == "\n"
        shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        other.stdin.close()
    assert "plateflow_queued_images 6.0" in shown.stdout
    assert "plateflow_queue_capacity_images 128.0" in shown.stdout
    assert 'plateflow_requests_total{code="200",protocol="read"} 2.0' in shown.stdout
    assert 'plateflow_model_info{name="m",version="v"} 1.0' in shown.stdout


def test_counting_costs_little():
    """Less than a fiftieth of the time to look for plates, which a slow machine holds too."""
    metrics = PredictorMetrics()
    reader = PlateReader(predictor_settings({"engine.readers": 1}), SHIPPED_MODEL, metrics)
    reader.start()
    data = bytes(cv2.imencode(".jpg", np.zeros((480, 640, 3), np.uint8))[1])
    answer = asyncio.run(reader.read(data))
    reader.close()
    begin = time.process_time()
    for _ in range(1000):
        metrics.batch_read([answer])
        metrics.answered("read", 200, 0.1)
    assert (time.process_time() - begin) / 1000 < 0.02 * answer.timings_ms["read"] / 1e3
