"""The KFP API server of the tests has the rules of the real one."""

# KFP reads annotations as they are at run time, so they are no strings here.

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import yaml
from kfp import compiler, dsl, kubernetes

from tests.pipelines import tiny
from tests.servers.kfp import Dex, KfpServer, Play, Token, needs_swagger, serve_kfp
from tests.servers.kfp.cron import check_cron
from tests.servers.tls import Authority

pytestmark = needs_swagger

API = "/apis/v2beta1"
GIVEN = {"run": "r", "volume": "/mnt/v"}


def pipeline(**changes: Any) -> bytes:
    """Two tasks, the second after the first and tried twice; YAML."""
    executor = {"container": {"image": "python:3.11", "command": ["true"]}}
    component = {"executorLabel": "exec"}
    second: dict[str, Any] = {"componentRef": {"name": "c"}, "dependentTasks": ["first"]}
    second["retryPolicy"] = {"maxRetryCount": 1}
    tasks = {"first": {"componentRef": {"name": "c"}}, "second": second}
    parameters: dict[str, Any] = {name: {"parameterType": "STRING"} for name in GIVEN}
    parameters["more"] = {"parameterType": "STRUCT", "isOptional": True}
    spec = {
        "pipelineInfo": {"name": "two"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "deploymentSpec": {"executors": {"exec": executor}},
        "components": {"c": component},
        "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": parameters}},
        **changes,
    }
    return yaml.safe_dump(spec).encode()


def platform(**executor: Any) -> bytes:
    """A second document of the YAML."""
    deployment = {"deploymentSpec": {"executors": {"exec": executor}}}
    return b"\n---\n" + yaml.safe_dump({"platforms": {"kubernetes": deployment}}).encode()


def ask(
    server: KfpServer,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    context: ssl.SSLContext | None = None,
    **query: Any,
) -> tuple[int, Any]:
    """Status and what the answer says, JSON or text."""
    url = f"{server.url}{API}{path}" + (f"?{urlencode(query)}" if query else "")
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        try:
            return error.code, json.loads(text)
        except ValueError:
            return error.code, text


def upload(server: KfpServer, content: bytes, **query: str) -> tuple[int, Any]:
    """A version by a form, as clients send it."""
    form = (
        b'--xx\r\nContent-Disposition: form-data; name="uploadfile"; filename="p.yaml"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--xx--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    return ask(server, "POST", "/pipelines/upload_version", form, headers, None, **query)


def start(server: KfpServer, parameters: dict[str, Any] | None = None, **more: Any) -> Any:
    """Status and answer for a run of the newest version."""
    version = list(server.versions.values())[-1]
    ids = {"pipeline_id": version.pipeline_id, "pipeline_version_id": version.id}
    config = {"parameters": GIVEN if parameters is None else parameters}
    described = {"pipeline_version_reference": ids, "runtime_config": config, **more}
    return ask(server, "POST", "/runs", {"display_name": "r", **described})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KfpServer]:
    with serve_kfp(tmp_path) as running:
        running.add_version(running.add_pipeline("two"), "v1", pipeline())
        yield running


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "status"),
    [
        pytest.param("POST", "/runs", {"name": "r"}, {}, 400, id="unknown field"),
        pytest.param("POST", "/runs", {"display_name": 1}, {}, 400, id="wrong type"),
        pytest.param("POST", "/runs", {"state": "RUNS"}, {}, 400, id="no such enum value"),
        pytest.param("POST", "/runs", b"{", {}, 400, id="no JSON"),
        pytest.param("GET", "/runs", None, {"limit": 3}, 400, id="unknown query"),
        pytest.param("GET", "/runs", None, {"page_size": "x"}, 400, id="no number"),
        pytest.param("GET", "/runs", None, {"page_size": -1}, 400, id="negative page"),
        pytest.param("GET", "/runs", None, {"page_token": "MTIz"}, 400, id="no token"),
        pytest.param("GET", "/runs", None, {"sort_by": "size"}, 400, id="cannot be sorted by"),
        pytest.param("GET", "/runs", None, {"filter": "{}x"}, 400, id="no filter"),
        pytest.param("GET", "/runs/none", None, {}, 404, id="no such run"),
        pytest.param("GET", "/rums", None, {}, 404, id="no such path"),
        pytest.param("PUT", "/runs", None, {}, 501, id="no such method"),
    ],
)
def test_what_the_swagger_does_not_know_is_refused(
    server: KfpServer, method: str, path: str, body: Any, query: dict[str, Any], status: int
) -> None:
    answered, said = ask(server, method, path, body, **query)
    assert answered == status, said
    assert said["message"]
    assert (server.requests[-1].path, server.requests[-1].status) == (API + path, status)


def test_pages_hold_everything_once_and_keep_their_filter(server: KfpServer) -> None:
    (parent,) = server.pipelines.values()
    for number in range(449):
        server.add_version(parent, f"w{number}", {"a": 1})
    listed, token, sizes = [], "", []
    given: dict[str, Any] = {"sort_by": "created_at desc"}
    while True:
        _, page = ask(
            server,
            "GET",
            f"/pipelines/{parent.id}/versions",
            page_size=1000,
            page_token=token,
            **given,
        )
        listed += [version["name"] for version in page["pipeline_versions"]]
        sizes.append(len(page["pipeline_versions"]))
        assert page["total_size"] == 450
        token, given = page.get("next_page_token", ""), {}
        if not token:
            break
    assert sizes == [200, 200, 50]
    assert listed == [f"w{number}" for number in reversed(range(449))] + ["v1"]


@pytest.mark.parametrize(
    ("operation", "value", "found"),
    [
        pytest.param("EQUALS", "V 1+A", ["v 1+a"], id="case counts for nothing"),
        pytest.param("EQUALS", "v 1 a", [], id="a plus is one, quoted twice"),
        pytest.param("IS_SUBSTRING", "1%a", ["v 1+a"], id="a percent sign is wild"),
        pytest.param(9, "xx", ["xx"], id="operations have numbers too"),
    ],
)
def test_filters_are_those_of_the_database(
    server: KfpServer, operation: str | int, value: str, found: list[str]
) -> None:
    for name in ("v 1+a", "xx"):
        server.add_pipeline(name)
    predicate = {"operation": operation, "key": "display_name", "stringValue": value}
    quoted = quote(json.dumps({"predicates": [predicate]}))
    _, listed = ask(server, "GET", "/pipelines", filter=quoted)
    assert [each["name"] for each in listed.get("pipelines", [])] == found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"a: [", "failed to parse", id="no YAML"),
        pytest.param(b"a: 1", "unknown template format", id="no pipeline"),
        pytest.param(pipeline(schemaVersion="2.2.0"), "has version 2.2.0", id="newer"),
        pytest.param(pipeline(news=1), "unknown template format", id="newer field"),
        pytest.param(pipeline(pipelineInfo={"name": "A b"}), "lowercase", id="name"),
        pytest.param(pipeline() + platform(pvcMounts=[]), "pvcMounts", id="platform field"),
    ],
)
def test_only_a_pipeline_becomes_a_version(server: KfpServer, content: bytes, reason: str) -> None:
    (parent,) = server.pipelines
    status, said = upload(server, content, name="v2", pipelineid=parent)
    assert status == 400
    assert reason in said["error_message"]
    assert len(server.versions) == 1


def test_versions_are_uploaded_once_and_hold_their_pipeline(server: KfpServer) -> None:
    (parent,) = server.pipelines
    pvc = platform(pvcMount=[{"constant": "plateflow", "mountPath": "/mnt/v"}])
    status, version = upload(server, pipeline() + pvc, name="v 2", pipelineid=parent)
    assert status == 200
    assert set(version["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}
    assert upload(server, pipeline(), name="V 2", pipelineid=parent)[0] == 409
    status, said = ask(server, "DELETE", f"/pipelines/{parent}")
    assert (status, "cascade=true" in said["message"]) == (400, True)
    assert ask(server, "DELETE", f"/pipelines/{parent}", cascade="true") == (200, {})
    assert not server.versions


def test_a_run_goes_on_with_each_look(server: KfpServer) -> None:
    _, run = start(server)
    assert (run["state"], run["finished_at"]) == ("PENDING", "1970-01-01T00:00:00Z")
    states = []
    while run["state"] != "SUCCEEDED":
        _, run = ask(server, "GET", f"/runs/{run['run_id']}")
        tasks = {task["display_name"]: task for task in run["run_details"]["task_details"]}
        states.append(tasks.get("second", {}).get("state"))
    assert states == [None, None, None, "RUNNING", "SUCCEEDED", "SUCCEEDED"]
    assert {"root", "root-driver", "first-driver", "executor", "executor(0)"} <= set(tasks)
    assert all(task["end_time"] > task["create_time"] for task in tasks.values())
    assert "pod_name" not in tasks["first"]


def test_a_task_fails_after_all_its_attempts_and_its_pods_say_why(server: KfpServer) -> None:
    server.play = Play(fails={"second": "no memory"}, moves=50)
    _, run = start(server)
    _, run = ask(server, "GET", f"/runs/{run['run_id']}")
    assert run["state"] == "FAILED"
    row = server.runs[run["run_id"]]
    logs = {
        pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"]: server.pod_logs(row)[
            pod["metadata"]["name"]
        ]
        for pod in server.pods(row)
        if pod["metadata"]["labels"]["pipeline/runid"] == row.id
    }
    workflow = row.workflow
    for attempt in (0, 1):
        assert logs[f"{workflow}.root.second.executor({attempt})"] == "no memory"
    assert logs[f"{workflow}.root.first.executor"] == ""


def test_what_was_terminated_has_failed(server: KfpServer) -> None:
    server.play = Play(hangs={"first"}, moves=5)
    _, run = start(server)
    path = f"/runs/{run['run_id']}"
    assert ask(server, "GET", path)[1]["state"] == "RUNNING"
    assert ask(server, "POST", f"{path}:terminate") == (200, {})
    _, run = ask(server, "GET", path)
    passed = [each["state"] for each in run["state_history"]]
    assert passed == ["PENDING", "RUNNING", "CANCELING", "FAILED"]
    assert ask(server, "POST", f"{path}:terminate")[0] == 400


def test_a_run_is_run_for_real_where_the_volume_is(tmp_path: Path) -> None:
    @dsl.pipeline(name="tiny")
    def on_a_volume(run: str, volume: str, config: str, overrides: dict[str, Any]) -> None:
        task = tiny.first(run=run, volume=volume, config=config, overrides=overrides)
        kubernetes.mount_pvc(task, pvc_name="plateflow", mount_path="/mnt/v")

    file, volume = tmp_path / "tiny.yaml", tmp_path / "volume"
    compiler.Compiler().compile(on_a_volume, str(file))
    volume.mkdir()
    (volume / "config.json").write_text(json.dumps(tiny.CONFIG))
    with serve_kfp(tmp_path) as server:
        server.executes, server.secret = volume, {"PLATEFLOW_TEST": "of the secret"}
        server.add_version(server.add_pipeline("tiny"), "v1", file.read_bytes())
        _, run = start(server, {**GIVEN, "config": "config.json", "overrides": {}})
        while run["state"] not in {"SUCCEEDED", "FAILED"}:
            time.sleep(0.05)
            _, run = ask(server, "GET", f"/runs/{run['run_id']}")
        log = server.runs[run["run_id"]].logs["first"]
    assert run["state"] == "SUCCEEDED", log
    assert "first was here" in log
    said = json.loads((volume / "runs" / "r" / "first" / "said.json").read_text())
    assert said["environment"] == "of the secret"


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        pytest.param({"run": "r"}, "parameter volume is not optional", id="missing"),
        pytest.param({**GIVEN, "less": 1}, "not required by pipeline: less", id="unknown"),
        pytest.param({**GIVEN, "more": "x"}, "requires type struct", id="wrong type"),
        pytest.param({**GIVEN, "more": {"a": "x" * 10_000}}, "maximum size", id="too long"),
    ],
)
def test_parameters_must_be_those_of_the_pipeline(
    server: KfpServer, parameters: dict[str, Any], reason: str
) -> None:
    status, said = start(server, parameters)
    assert (status, reason in said["message"]) == (400, True)
    assert not server.runs


def test_a_schedule_starts_runs_while_it_is_on(server: KfpServer) -> None:
    version = list(server.versions.values())[-1]
    ids = {"pipeline_id": version.pipeline_id, "pipeline_version_id": version.id}
    described = {
        "display_name": "nightly",
        "mode": "ENABLE",
        "max_concurrency": 1,
        "trigger": {"cron_schedule": {"cron": "0 0 3 * * 1-5"}},
        "pipeline_version_reference": ids,
        "runtime_config": {"parameters": {**GIVEN, "run": "nightly"}},
    }
    status, made = ask(server, "POST", "/recurringruns", described)
    assert (status, made["status"], made["max_concurrency"]) == (200, "ENABLED", "1")
    schedule = server.schedules[made["recurring_run_id"]]
    run = server.fire(schedule)
    assert run is not None
    assert run.arguments["run"] == "nightly"
    ask(server, "POST", f"/recurringruns/{schedule.id}:disable")
    assert server.fire(schedule) is None
    for wrong in ({"max_concurrency": 11}, {"trigger": {"cron_schedule": {"cron": "0 3 * *"}}}):
        assert ask(server, "POST", "/recurringruns", {**described, **wrong})[0] == 400


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("0 0 3 * * *", True),
        ("0 */15 8-18 1,15 jan-jun ?", True),
        ("0 3 * * *", True),
        ("@every 1h30m", True),
        ("", False),
        ("0 0 3 * * 7", False),
        ("0 0 24 * * *", False),
        ("0 0 3 * * mo", False),
        ("0 0 5-3 * * *", False),
        ("0 */0 3 * * *", False),
        ("TZ=UTC 0 0 3 * * *", False),
        ("@noon", False),
    ],
)
def test_cron_is_that_of_the_server(text: str, is_one: bool) -> None:
    if is_one:
        check_cron(text)
    else:
        with pytest.raises(ValueError, match=r"."):
            check_cron(text)


@pytest.mark.parametrize(("when", "num_made"), [("before", 0), ("within", 0), ("after", 1)])
def test_connections_are_cut_before_or_after_the_server_has_acted(
    server: KfpServer, when: Any, num_made: int
) -> None:
    server.fail("POST .*/experiments", when=when)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        ask(server, "POST", "/experiments", {"display_name": "e"})
    assert server.requests[-1].status == 0
    # The server has one of its own.
    assert len(server.experiments) == 1 + num_made
    again, _ = ask(server, "POST", "/experiments", {"display_name": "e"})
    assert again == (409 if num_made else 200)


def test_users_have_only_their_namespaces(tmp_path: Path) -> None:
    with serve_kfp(tmp_path, multi_user=True) as server:
        made = {
            namespace: ask(
                server, "POST", "/experiments", {"display_name": "e", "namespace": namespace}
            )[0]
            for namespace in ("plateflow", "", "other")
        }
        assert made == {"plateflow": 200, "": 400, "other": 403}
        assert ask(server, "POST", "/pipelines", {"name": "shared"})[0] == 403
        body = {"name": "own", "namespace": "plateflow"}
        assert ask(server, "POST", "/pipelines", body)[0] == 200
        assert ask(server, "GET", "/pipelines") == (200, {})
        assert ask(server, "GET", "/pipelines", namespace="plateflow")[1]["total_size"] == 1
        server.add_version(next(iter(server.pipelines.values())), "v1", pipeline())
        assert start(server)[0] == 400
        (experiment,) = server.experiments
        assert start(server, experiment_id=experiment)[0] == 200


def test_tokens_expire(tmp_path: Path) -> None:
    gate = Token("t1")
    with serve_kfp(tmp_path, login=gate) as server:
        bearer = {"Authorization": "Bearer t1"}
        assert ask(server, "GET", "/runs")[0] == 401
        assert ask(server, "GET", "/runs", headers=bearer) == (200, {})
        gate.valid.clear()
        assert ask(server, "GET", "/runs", headers=bearer)[1]["code"] == 16


def test_a_session_is_got_at_the_form_and_expires(tmp_path: Path) -> None:
    gate = Dex("me@example.com", "secret")
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with serve_kfp(tmp_path, login=gate, prefix="/pipeline") as server:

        def log_in(password: str) -> str:
            with opener.open(f"{server.url}{API}/runs") as form:
                action, text = form.url, form.read().decode()
            assert f'action="{action.partition("/dex")[1]}' in text
            given = urlencode({"login": "me@example.com", "password": password}).encode()
            with opener.open(action, given) as answer:
                return str(answer.read().decode())

        assert "Invalid" in log_in("wrong")
        assert log_in("secret") == "{}"
        assert gate.num_logins == 1
        gate.expire()
        with opener.open(f"{server.url}{API}/runs") as form:
            assert "Log in" in form.read().decode()
        gate.turns_away = "401"
        assert ask(server, "GET", "/runs") == (401, {})


def test_certificates_vouch_for_hosts_and_end(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=authority.file)
    with serve_kfp(tmp_path, tls=authority.server()) as server:
        assert ask(server, "GET", "/runs", context=trusting) == (200, {})
        with pytest.raises(urllib.error.URLError, match="unable to get local issuer"):
            ask(server, "GET", "/runs", context=ssl.create_default_context())
    for wrong, reason in (
        (authority.server("example.com"), "not valid for 'localhost'"),
        (authority.server(valid_for=timedelta(hours=-1)), "has expired"),
    ):
        with (
            serve_kfp(tmp_path, tls=wrong) as server,
            pytest.raises(urllib.error.URLError, match=reason),
        ):
            ask(server, "GET", "/runs", context=trusting)
