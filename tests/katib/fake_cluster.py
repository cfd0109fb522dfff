"""A small server that answers as Kubernetes' API server and Katib would, for one search's paths.

It is no cluster: it validates what is posted against their schemas, strictly, keeps Experiments,
and plays their trials, one more each time that an Experiment is asked for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import yaml

from tests.katib.schemas import check_experiment

_ROOT = "/apis/kubeflow.org/v1beta1/namespaces/"


class FakeCluster:
    """Experiments by (namespace, name), and how their trials end."""

    def __init__(self, value: Callable[[dict[str, str]], float | None]) -> None:
        """`value` gives a trial's mAP from its parameters; None: the trial fails."""
        self.experiments: dict[tuple[str, str], dict[str, Any]] = {}
        self.trials: dict[str, list[dict[str, Any]]] = {}
        self.num_created = 0
        # What the next questions are answered with; 0: the connection is closed.
        self.failures: list[int] = []
        self._value = value

    def create(self, namespace: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if query.get("fieldValidation") != ["Strict"]:
            return 400, _status(400, "the test wants strict validation")
        try:
            check_experiment(body)
        except jsonschema.ValidationError as error:
            return 400, _status(400, f"strict decoding error: {error.message}")
        key = (namespace, body["metadata"]["name"])
        if key in self.experiments:
            return 409, _status(409, f"experiments.kubeflow.org {key[1]!r} already exists")
        # Katib fills in defaults.
        body["spec"]["trialTemplate"].setdefault("successCondition", "status.conditions")
        body["spec"].setdefault("resumePolicy", "Never")
        self.experiments[key] = body
        self.trials[key[1]] = []
        self.num_created += 1
        return 201, body

    def get(self, namespace: str, name: str) -> tuple[int, Any]:
        found = self.experiments.get((namespace, name))
        if found is None:
            return 404, _status(404, f"experiments.kubeflow.org {name!r} not found")
        self._play(found)
        return 200, found

    def list_trials(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        label, _, name = query["labelSelector"][0].partition("=")
        assert label == "katib.kubeflow.org/experiment"
        return 200, {"items": self.trials[name]}

    def _play(self, experiment: dict[str, Any]) -> None:
        """End the trial under way and begin another, until there are as many as wanted."""
        name, spec = experiment["metadata"]["name"], experiment["spec"]
        trials = self.trials[name]
        if trials and "completionTime" not in trials[-1]["status"]:
            self._end(trials[-1])
        failed = sum("observation" not in trial["status"] for trial in trials)
        if failed >= spec["maxFailedTrialCount"]:
            message = "Experiment has failed because max failed count has reached"
            experiment["status"] = {"conditions": [_condition("Failed", message)]}
        elif len(trials) == spec["maxTrialCount"]:
            experiment["status"] = {"conditions": [_condition("Succeeded", "")]}
        else:
            number = len(trials)
            values = {
                p["name"]: p["feasibleSpace"]["list"][number % len(p["feasibleSpace"]["list"])]
                for p in spec["parameters"]
            }
            trials.append(
                {
                    "metadata": {"name": f"{name}-x{number}"},
                    "spec": {
                        "parameterAssignments": [
                            {"name": key, "value": value} for key, value in values.items()
                        ]
                    },
                    "status": {
                        "startTime": f"2026-11-21T10:{number:02d}:00Z",
                        "conditions": [_condition("Created", ""), _condition("Running", "")],
                    },
                }
            )
            experiment["status"] = {"conditions": [_condition("Running", "")]}

    def _end(self, trial: dict[str, Any]) -> None:
        status = trial["status"]
        status["completionTime"] = status["startTime"].replace(":00Z", ":30Z")
        status["conditions"][1]["status"] = "False"
        values = {p["name"]: p["value"] for p in trial["spec"]["parameterAssignments"]}
        value = self._value(values)
        if value is None:
            status["conditions"].append(_condition("Failed", "Job has reached the limit"))
            return
        status["conditions"].append(_condition("Succeeded", ""))
        figures = {"min": "0.1", "max": str(value), "latest": "0.2"}
        status["observation"] = {
            "metrics": [
                {"name": "mAP", **figures},
                {"name": "EIR", "min": "0.3", "max": "0.5", "latest": "0.4"},
                {"name": "dv_mAP", "min": "0", "max": "unavailable", "latest": "0.5"},
            ]
        }


@contextmanager
def served(cluster: FakeCluster, folder: Path) -> Iterator[Path]:
    """Serve on a port of this machine; gives a kubeconfig that names it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            namespace, rest, query = _parts(self.path)
            assert rest == ["experiments"]
            length = int(self.headers["Content-Length"])
            self._answer(*cluster.create(namespace, query, json.loads(self.rfile.read(length))))

        def do_GET(self) -> None:
            namespace, rest, query = _parts(self.path)
            if cluster.failures:
                status = cluster.failures.pop(0)
                if status:
                    self._answer(status, _status(status, "the server is away"))
            elif rest == ["trials"]:
                self._answer(*cluster.list_trials(query))
            else:
                self._answer(*cluster.get(namespace, rest[1]))

        def _answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kubeconfig(folder, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(folder: Path, port: int) -> Path:
    """A file that names a cluster on this machine's port."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file


def _parts(path: str) -> tuple[str, list[str], dict[str, list[str]]]:
    split = urlsplit(path)
    assert split.path.startswith(_ROOT)
    namespace, *rest = split.path.removeprefix(_ROOT).split("/")
    return namespace, rest, parse_qs(split.query)


def _condition(kind: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "message": message}


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "message": message}
