"""What goes wrong between here and Kubeflow Pipelines: one line each, and nothing twice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Literal

import pytest

from pipelines.backends.kubeflow import KubeflowBackend
from pipelines.registry import Package
from sub_module.errors import ClusterError, PlateflowError
from tests.pipelines.backends.conftest import AT_ONCE, Place
from tests.servers.kfp import Play, needs_swagger

pytestmark = needs_swagger

Act = Callable[[KubeflowBackend, Package], object]


def upload(backend: KubeflowBackend, package: Package) -> object:
    return backend.upload(package)


def run(backend: KubeflowBackend, package: Package) -> object:
    return backend.run("plates", "v1", {})


def schedule(backend: KubeflowBackend, package: Package) -> object:
    return backend.add_schedule("nightly", "0 3 * * *", "plates", "v1", {})


# What is created, by whom, and which request does it.
CREATED = [
    pytest.param(upload, "pipelines", r"POST .*/pipelines$", id="pipeline"),
    pytest.param(upload, "versions", r"POST .*/upload_version", id="version"),
    pytest.param(run, "experiments", r"POST .*/experiments$", id="experiment"),
    pytest.param(run, "runs", r"POST .*/runs$", id="run"),
    pytest.param(schedule, "schedules", r"POST .*/recurringruns$", id="schedule"),
]


def prepared(place: Place, package: Package, act: Act) -> KubeflowBackend:
    backend = place.backend()
    if act is not upload:
        backend.upload(package)
    return backend


@pytest.mark.parametrize(("act", "rows", "request_"), CREATED)
@pytest.mark.parametrize("status", [0, 503], ids=["cut", "503"])
def test_answer_lost_after_the_server_has_acted(
    place: Place, package: Package, act: Act, rows: str, request_: str, status: int
) -> None:
    backend = prepared(place, package, act)
    fault = place.kfp.fail(request_, status, when="after")
    act(backend, package)
    assert fault.hits == 1
    assert len(getattr(place.kfp, rows)) == 1
    act(place.backend(), package)
    assert len(getattr(place.kfp, rows)) == 1, "nor does the same command make a second"


@pytest.mark.parametrize(("act", "rows", "request_"), CREATED)
@pytest.mark.parametrize("when", ["before", "within"])
def test_cut_before_the_server_acts(
    place: Place,
    package: Package,
    act: Act,
    rows: str,
    request_: str,
    when: Literal["before", "within"],
) -> None:
    backend = prepared(place, package, act)
    place.kfp.fail(request_, when=when)
    with pytest.raises(
        ClusterError, match=r"the connection was cut: .*; nothing was made"
    ) as error:
        act(backend, package)
    assert "\n" not in str(error.value)
    assert getattr(place.kfp, rows) == {}
    act(backend, package)
    assert len(getattr(place.kfp, rows)) == 1


def test_server_that_goes_away_after_it_has_acted(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.fail(r"POST .*/runs$", when="after")
    looking = place.kfp.fail(r"GET .*/runs\?", 503, times=0)

    create = backend._runs._server.client.runs.run_service_create_run

    def then_away(body: Any) -> object:
        looking.times = math.inf
        return create(body)

    backend._runs._server.client.runs.run_service_create_run = then_away
    with pytest.raises(ClusterError, match=r"cut: .*whether it was made cannot be seen now"):
        backend.run("plates", "v1", {})
    looking.times = 0
    assert place.backend().run("plates", "v1", {}).state == "running"
    assert len(place.kfp.runs) == 1


def test_two_upload_the_same_at_a_time(place: Place, package: Package) -> None:
    """Whoever is second gets 409, and finds what the first has made."""
    backend, first = place.backend(), place.backend()
    create = backend._versions._create_pipeline

    def slower(name: str) -> str:
        first.upload(package)
        return create(name)

    backend._versions._create_pipeline = slower  # type: ignore[method-assign]
    assert backend.upload(package).content == package.content
    assert (len(place.kfp.pipelines), len(place.kfp.versions)) == (1, 1)


def test_two_start_the_same_at_a_time(place: Place, package: Package) -> None:
    """The server takes a name twice; whoever was second takes back and follows the first."""
    backend, first = place.backend(), place.backend()
    backend.upload(package)
    create = backend._runs._server.client.runs.run_service_create_run
    started = []

    def slower(body: Any) -> object:
        started.append(first.run("plates", "v1", {}))
        return create(body)

    backend._runs._server.client.runs.run_service_create_run = slower
    assert backend.run("plates", "v1", {}).id == started[0].id
    assert list(place.kfp.runs) == [started[0].id]


def test_the_first_of_two_stays(place: Place, package: Package) -> None:
    backend, second = place.backend(), place.backend()
    backend.upload(package)
    create = backend._runs._server.client.runs.run_service_create_run

    def sooner(body: Any) -> object:
        made = create(body)
        # It has looked for runs before there was one.
        second._runs.attempts = lambda name: []  # type: ignore[method-assign]
        assert second.run("plates", "v1", {}).id == made.run_id
        return made

    backend._runs._server.client.runs.run_service_create_run = sooner
    started = backend.run("plates", "v1", {})
    assert list(place.kfp.runs) == [started.id]


def test_two_add_the_same_schedule_at_a_time(place: Place, package: Package) -> None:
    backend, first = place.backend(), place.backend()
    backend.upload(package)
    nightly = ("nightly", "0 3 * * *", "plates", "v1", {})
    create = backend._schedules._create

    def slower(*arguments: Any) -> object:
        assert first.add_schedule(*nightly)
        return create(*arguments)

    backend._schedules._create = slower  # type: ignore[method-assign]
    assert not backend.add_schedule(*nightly)
    assert len(place.kfp.schedules) == 1


@pytest.mark.parametrize(
    ("status", "headers", "times"),
    [
        pytest.param(0, {}, 3, id="cut"),
        pytest.param(429, {"Retry-After": "0"}, 3, id="429"),
        pytest.param(502, {}, 3, id="502"),
        pytest.param(503, {}, 3, id="503"),
        pytest.param(504, {}, 3, id="504"),
    ],
)
def test_questions_are_asked_again(
    place: Place, package: Package, status: int, headers: dict[str, str], times: int
) -> None:
    backend = place.backend()
    backend.upload(package)
    fault = place.kfp.fail("GET .*/versions", status, headers=headers, times=times)
    assert backend.find("plates", "v1") is not None
    assert fault.hits == times
    fault = place.kfp.fail("GET .*/versions", status, headers=headers, times=times + 1)
    with pytest.raises(ClusterError) as caught:
        backend.find("plates", "v1")
    assert (f"says {status}: " if status else "the connection was cut: ") in str(caught.value)


def test_too_many_requests_before_an_upload(place: Place, package: Package) -> None:
    fault = place.kfp.fail("POST", 429, headers={"Retry-After": "0"}, times=2)
    place.backend().upload(package)
    assert fault.hits == 2
    assert (len(place.kfp.pipelines), len(place.kfp.versions)) == (1, 1)


def test_server_that_wants_to_be_left_alone(place: Place) -> None:
    place.kfp.fail("GET", 429, headers={"Retry-After": "3600"})
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"says 429: .*; try again in 3600 s"):
        place.backend().versions()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
def test_refusals_are_not_asked_again(place: Place, package: Package, status: int) -> None:
    backend = place.backend()
    backend.versions()
    fault = place.kfp.fail("pipelines", status, times=5)
    with pytest.raises(ClusterError) as caught:
        backend.versions()
    line = str(caught.value)
    assert fault.hits == 1
    assert caught.value.status == status
    assert line.startswith(f"Kubeflow Pipelines at {place.kfp.url} ")
    assert "\n" not in line
    assert len(line) < 400


def test_deleting_twice_is_deleting(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.fail("DELETE .*/versions/", when="after")
    backend.delete_version("plates", "v1")
    assert place.kfp.versions == {}


@pytest.mark.parametrize(("moves", "state"), [(1, "CANCELING"), (AT_ONCE, "FAILED")])
def test_terminate_whose_answer_is_lost(
    place: Place, package: Package, moves: int, state: str
) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(hangs={"train"}, moves=moves)
    started = backend.run("plates", "v1", {})
    place.kfp.fail("POST .*:terminate", when="after")
    backend.terminate(started.name)
    assert place.kfp.runs[started.id].state == state


def test_server_away_while_a_run_goes_on(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    started = backend.run("plates", "v1", {})
    fault = place.kfp.fail(r"GET .*/runs/[0-9a-f-]{36}$", 503, times=9)
    assert backend.wait(started.name).state == "succeeded"
    assert fault.hits == 9
    assert place.shown.getvalue().count("asking again") == 1
    # Nobody waits for it longer than for the run.
    place.kfp.fail(r"GET .*/runs/[0-9a-f-]{36}$", 503, times=math.inf)
    with pytest.raises(ClusterError, match="says 503"):
        backend.wait(started.id, 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param(
            {"kfp_host": "http://127.0.0.1:1"},
            "at http://127.0.0.1:1 cannot be reached: Connection refused",
            id="nobody listens",
        ),
        pytest.param(
            {"kfp_host": "http://no.such.host.invalid"},
            # What it says in brackets behind that is the system's.
            "at http://no.such.host.invalid cannot be reached: Failed to resolve",
            id="no such host",
        ),
        pytest.param(
            {"kfp_host": "kubeflow.example.com"}, "expected http:// or https://", id="no scheme"
        ),
        pytest.param(
            {"kfp_host": "http://localhost:99999"}, "localhost:99999 is no URL", id="no port"
        ),
        pytest.param(
            {"kfp_host": "http://joe:plan/ted@h"}, "http://***@h is no URL", id="a password"
        ),
        pytest.param(
            {"namespace": "others"},
            "is not authorized to list pipelines in namespace others",
            id="a namespace that is not ours",
        ),
    ],
)
def test_hosts_and_namespaces(
    place: Place, package: Package, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlateflowError) as caught:
        place.backend(**settings).upload(package)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "no answer in" not in str(caught.value), "nobody waited"
    assert place.kfp.pipelines == {}


def test_namespace_that_kubernetes_does_not_have(place: Place, package: Package) -> None:
    place.kfp.namespaces = {"new"}
    backend = place.backend(namespace="new")
    backend.upload(package)
    with pytest.raises(ClusterError, match="new"):
        backend.run("plates", "v1", {})
    assert place.kfp.runs == {}


def test_something_else_answers(place: Place) -> None:
    for url in (place.kubernetes.url, f"{place.kfp.url}/elsewhere"):
        with pytest.raises(ClusterError) as caught:
            place.backend(kfp_host=url).versions()
        assert url in str(caught.value)


@pytest.mark.parametrize("where", ["healthz", "runs"])
def test_path_that_is_another(place: Place, where: str) -> None:
    """Kubeflow's dashboard answers everything with its page."""
    place.kfp.fail(where, 200, headers={"Content-Type": "text/html"})
    with pytest.raises(ClusterError, match=r"asks for a login: .* another path, such as /pipeline"):
        place.backend().runs()


def test_plain_host_that_is_asked_with_tls(place: Place) -> None:
    url = place.kfp.url.replace("http:", "https:")
    with pytest.raises(ClusterError, match="does not speak TLS: set PLATEFLOW_KFP_HOST to http:"):
        place.backend(kfp_host=url).runs()


def test_host_that_never_answers(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.backends.kubeflow.session._READ_SECONDS", 0.05)
    monkeypatch.setattr("cluster.api._LONG_SECONDS", 0.04)
    fault = place.kfp.fail("healthz", 200, delay_seconds=0.2, times=9)
    with pytest.raises(ClusterError, match=r"does not answer in 0\.\d+ s"):
        place.backend().versions()
    assert fault.hits == 1, "each time would take as long"


def test_host_that_wants_tls(place: Place) -> None:
    secure = place.kfp.url.replace("http:", "https:")
    location = f"{secure}/apis/v2beta1/healthz"
    place.kfp.fail("healthz", 301, headers={"Location": location})
    with pytest.raises(ClusterError, match="wants https://: set PLATEFLOW_KFP_HOST"):
        place.backend().versions()


def test_claim_that_may_not_be_looked_at(
    place: Place, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may start runs need not be let into the cluster's own API."""
    monkeypatch.setenv("KUBECONFIG", str(place.kubernetes.allow("t", "ci")))
    backend = place.backend()
    backend.upload(package)
    assert backend.run("plates", "v1", {}).state == "running"
    assert "whether there is a claim plateflow was not checked" in place.shown.getvalue()
    assert "says 403" in place.shown.getvalue()
