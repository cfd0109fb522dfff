"""`/read` and what every HTTP request goes through."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from tests.servers.predictor import SAMPLE_TEXTS, Predictor, running_predictor, texts_of, wait_until


def metric(predictor: Predictor, name: str) -> float:
    """A metric by its name with labels; 0 where it was never counted."""
    text = httpx.get(f"{predictor.url}/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def logged(predictor: Predictor) -> list[dict[str, Any]]:
    return [json.loads(line) for line in predictor.log.read_text().splitlines()]


@contextmanager
def connected(predictor: Predictor, sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", predictor.port), 20) as connection:
        connection.sendall(sent)
        yield connection


def received(connection: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def head(size: int, *lines: str) -> bytes:
    text = ["POST /read HTTP/1.1", "Host: x", f"Content-Length: {size}", *lines, "", ""]
    return "\r\n".join(text).encode()


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("application/x-www-form-urlencoded", id="curl's --data-binary"),
        pytest.param("image/jpeg", id="what it is"),
        pytest.param("text/plain", id="what it is not"),
    ],
)
def test_read_takes_the_bytes_whatever_they_are_called(
    predictor: Predictor, sample: bytes, content_type: str
) -> None:
    response = httpx.post(
        f"{predictor.url}/read", content=sample, headers={"Content-Type": content_type}
    )
    answer = response.json()
    assert texts_of(answer) == SAMPLE_TEXTS
    assert answer["image"] == {"width": 640, "height": 480}
    assert answer["model"]["name"] == "plateflow"
    assert set(answer["timings_ms"]) == {"queue", "decode", "read"}
    plate = answer["plates"][0]
    assert {"layout", "box", "corners", "region", "symbol", "serial", "score"} < set(plate)
    x1, y1, x2, y2 = plate["box"]
    assert plate["centre"] == pytest.approx([(x1 + x2) / 2, (y1 + y2) / 2], abs=0.011)
    assert plate["size"] == pytest.approx([x2 - x1, y2 - y1], abs=0.011)


def test_read_takes_a_form(predictor: Predictor, sample: bytes) -> None:
    url = f"{predictor.url}/read"
    one = httpx.post(url, files={"photo": ("a.jpg", sample)}, data={"note": "from a form"})
    assert texts_of(one.json()) == SAMPLE_TEXTS
    two = httpx.post(url, files={"a": sample, "b": sample})
    assert (two.status_code, two.json()["error"]) == (
        400,
        "the form has 2 files; expected one, the image",
    )
    none = httpx.post(url, content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert (none.status_code, list(none.json())) == (400, ["error"])


def test_page_says_how_to_ask(predictor: Predictor) -> None:
    page = httpx.get(f"{predictor.url}/").text
    assert f"curl --data-binary @photo.jpg {predictor.url}/read" in page
    assert "whether it is ready: yes" in page


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/read", 405, id="method"),
        pytest.param("POST", "/reed", 404, id="path"),
        pytest.param("POST", "/v1/models/other:predict", 404, id="V1 model"),
        pytest.param("POST", "/v2/models/other/infer", 404, id="V2 model"),
        pytest.param("POST", "/read", 400, id="no image"),
    ],
)
def test_mistakes_are_named_in_json(
    predictor: Predictor, method: str, path: str, status: int
) -> None:
    response = httpx.request(method, predictor.url + path)
    assert response.status_code == status
    assert list(response.json()) == ["error"]


def test_request_id_is_kept_or_made_and_logged(predictor: Predictor) -> None:
    url = f"{predictor.url}/read"
    given = httpx.post(url, content=b"none", headers={"X-Request-Id": "photo-7"})
    made = httpx.post(url, content=b"none")
    # What would break a log line or a header is replaced.
    replaced = httpx.post(url, content=b"none", headers={"X-Request-Id": "a b"})
    ids = [response.headers["X-Request-Id"] for response in (given, made, replaced)]
    assert ids[0] == "photo-7"
    assert all(re.fullmatch("[0-9a-f]{16}", other) for other in ids[1:])
    lines = {line["request_id"]: line for line in logged(predictor) if "request_id" in line}
    assert set(ids) <= set(lines)
    assert lines["photo-7"]["status"] == 400
    assert "no image" in lines["photo-7"]["message"]


def test_deadline_of_the_client(predictor: Predictor, sample: bytes) -> None:
    url = f"{predictor.url}/read"
    late = httpx.post(url, content=sample, headers={"X-Deadline-Ms": "0.001"})
    assert late.status_code == 504
    for wrong in ("nan", "-3", "soon", ""):
        response = httpx.post(url, content=sample, headers={"X-Deadline-Ms": wrong})
        assert response.status_code == 400, wrong
        assert "X-Deadline-Ms" in response.json()["error"]


def test_requests_are_counted(predictor: Predictor, grey: bytes) -> None:
    good = 'plateflow_requests_total{code="200",protocol="read"}'
    bad = 'plateflow_requests_total{code="400",protocol="read"}'
    before = metric(predictor, good), metric(predictor, bad)
    httpx.post(f"{predictor.url}/read", content=grey)
    httpx.post(f"{predictor.url}/read", content=b"none")
    httpx.get(f"{predictor.url}/v2/health/live")
    assert (metric(predictor, good), metric(predictor, bad)) == (before[0] + 1, before[1] + 1)
    assert metric(predictor, 'plateflow_request_seconds_count{protocol="read"}') >= 2


def test_client_that_leaves_is_not_read_for(predictor: Predictor, sample: bytes) -> None:
    left = 'plateflow_requests_total{code="499",protocol="read"}'
    before = metric(predictor, left)
    for _ in range(20):
        with connected(predictor, head(len(sample)) + sample):
            pass
    # In the middle of its body.
    with connected(predictor, head(len(sample)) + sample[:100]):
        pass
    # Some may have been read before the server saw that nobody waits.
    wait_until(lambda: metric(predictor, left) >= before + 10)
    wait_until(lambda: metric(predictor, "plateflow_queued_images") == 0)


def test_refusal_without_reading_the_body_keeps_connections(predictor: Predictor) -> None:
    """A client that sends too much sees why, also one that waits for nothing; then others."""
    with httpx.Client(base_url=predictor.url) as client:
        announced = client.post("/read", content=b"x" * 33_000_000)
        chunked = client.post("/read", content=(b"x" * 1_000_000 for _ in range(33)))
        after = client.get("/v2/health/live")
    for response in (announced, chunked):
        assert response.status_code == 413
        assert response.json()["error"] == "the body is larger than 32 MB"
    assert after.status_code == 200


def test_client_that_asks_first_need_not_send(predictor: Predictor, grey: bytes) -> None:
    """curl does so with large bodies."""
    expect = "Expect: 100-continue"
    with connected(predictor, head(33_000_000, expect)) as connection:
        assert b" 413 " in received(connection)
    with connected(predictor, head(len(grey), expect, "Connection: close")) as connection:
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(grey)
        assert b" 200 OK" in received(connection)


def test_two_requests_sent_at_once(predictor: Predictor, grey: bytes) -> None:
    asked = head(len(grey)) + grey
    last = head(len(grey), "Connection: close") + grey
    with connected(predictor, asked + last) as connection:
        assert received(connection).count(b"HTTP/1.1 200 OK") == 2


@pytest.fixture(scope="module")
def strict() -> Iterator[Predictor]:
    """A server with little patience and room."""
    with running_predictor(
        "limits.body_seconds=0.3",
        "limits.head_seconds=0.3",
        "limits.queued_images=2",
        "limits.all_bodies_megabytes=1.0",
        "log_requests=True",
        environment={"PLATEFLOW_SERVE_TOKEN": "s3cret"},
    ) as server:
        yield server


TOKEN = "Authorization: Bearer s3cret"


def test_slow_body(strict: Predictor) -> None:
    with connected(strict, head(1000, TOKEN) + b"the beginning") as connection:
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'{"error":"the body did not come within 0.3 s"}' in answer


@pytest.mark.parametrize("begin", [b"", b"POST /read HTTP/1.1\r\nHost:"], ids=["nothing", "half"])
def test_slow_head(strict: Predictor, begin: bytes) -> None:
    """Slowloris: connections that say nothing, or not enough, do not stay."""
    with connected(strict, begin) as connection:
        assert received(connection).startswith(b"HTTP/1.1 408 ")


def test_slow_head_of_a_second_request(strict: Predictor) -> None:
    with connected(strict, b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /") as connection:
        answers = received(connection)
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answers


def test_token(strict: Predictor, grey: bytes) -> None:
    """Who wants readings must bring it; health, metrics and descriptions are anyone's."""
    url = f"{strict.url}/read"
    for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Basic s3cret"}):
        response = httpx.post(url, content=grey, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
    right = httpx.post(url, content=grey, headers={"Authorization": "Bearer s3cret"})
    assert right.status_code == 200
    for path in ("/", "/metrics", "/v2/health/ready", "/v2/models/plateflow"):
        assert httpx.get(strict.url + path).status_code == 200
    assert "s3cret" not in strict.log.read_text()


def test_full_queue_says_when_to_come_again(strict: Predictor, sample: bytes) -> None:
    def ask(_: int) -> httpx.Response:
        return httpx.post(
            f"{strict.url}/read", content=sample, headers={"Authorization": "Bearer s3cret"}
        )

    with ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(ask, range(24)))
    by_status = {response.status_code: response for response in responses}
    assert set(by_status) == {200, 503}
    assert by_status[503].headers["Retry-After"] == "1"
    assert texts_of(by_status[200].json()) == SAMPLE_TEXTS
    wait_until(lambda: metric(strict, "plateflow_queued_images") == 0)
    assert metric(strict, 'plateflow_rejected_total{reason="busy"}') == sum(
        response.status_code == 503 for response in responses
    )


def test_all_bodies_together_have_a_bound(strict: Predictor, grey: bytes) -> None:
    """Of what has come: bodies that are only announced, or come in chunks, take no room."""
    chunked = head(0, TOKEN, "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    with ExitStack() as others:
        for begin in (head(31_000_000, TOKEN), chunked) * 4:
            others.enter_context(connected(strict, begin))
        assert asked_with_token(strict, grey) == 200
    half = head(1_000_000, TOKEN) + bytes(600_000)
    with connected(strict, half) as first, connected(strict, half) as second:
        ends = [received(first), received(second)]
    # Whichever was later finds no room; the other never sends the rest.
    assert sorted(end.split()[1] for end in ends) == [b"408", b"503"]
    assert asked_with_token(strict, grey) == 200


def asked_with_token(server: Predictor, image: bytes) -> int:
    headers = {"Authorization": "Bearer s3cret"}
    return httpx.post(f"{server.url}/read", content=image, headers=headers).status_code


def test_every_request_is_logged_where_the_config_says_so(
    predictor: Predictor, strict: Predictor, sample: bytes
) -> None:
    for server in (predictor, strict):
        headers = {"Authorization": "Bearer s3cret", "X-Request-Id": "photo-9"}
        httpx.post(f"{server.url}/read", content=sample, headers=headers)
    # Just after the answer is sent.
    wait_until(lambda: "photo-9" in strict.log.read_text())
    (line,) = (line for line in logged(strict) if line.get("request_id") == "photo-9")
    assert (line["message"], line["protocol"], line["status"]) == ("answered", "read", 200)
    assert set(line["timings_ms"]) == {"queue", "decode", "read"}
    assert line["ms"] >= sum(line["timings_ms"].values())
    assert "photo-9" not in predictor.log.read_text()


def test_what_is_refused_leaves_no_memory(predictor: Predictor) -> None:
    """An error holds the frames that it came through, and they the body."""
    broken = b"\xff\xd8" + bytes(20_000_000)
    with httpx.Client() as client:
        before = 0.0
        for number in range(12):
            assert client.post(f"{predictor.url}/read", content=broken).status_code == 400
            if number == 2:
                before = predictor.memory_mb()
    assert predictor.memory_mb() < before + 60, "each of the nine left its 20 MB"


def test_a_compressed_body_is_refused(predictor: Predictor, sample: bytes) -> None:
    headers = {"Content-Encoding": "gzip"}
    response = httpx.post(f"{predictor.url}/read", content=sample, headers=headers)
    assert response.status_code == 415
    assert response.json() == {"error": "Content-Encoding: gzip is not read"}


def test_what_is_no_http_gets_an_error_like_all(predictor: Predictor) -> None:
    with socket.create_connection(("127.0.0.1", predictor.port), timeout=10) as connection:
        connection.sendall(b"POST /read HTTP/1.1\r\nContent-Length: abc\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b'{"error":"Invalid HTTP request received."}')
