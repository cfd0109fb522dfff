"""2,000 mutated requests over HTTP and gRPC: each gets an answer, and never a fault of ours."""

from __future__ import annotations

import base64
import http.client
import json
import random
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.servers.predictor import SAMPLE_TEXTS, Predictor, running_predictor, texts_of, wait_until

NUM_HTTP, NUM_RAW, NUM_GRPC = 1200, 300, 500
V2_PATH = "/v2/models/plateflow/infer"
# Room is short and time is over also for requests that nobody mutated.
ALLOWED_FAULTS = {503, 504}
ODD_VALUES: list[Any] = [None, True, -1, 1e308, 2**80, "", "\x00", "AAAA", [], {}, [[[]]], "é" * 99]


@dataclass(frozen=True)
class Asking:
    """A request over HTTP."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


def seeds(image: bytes) -> list[Asking]:
    text = base64.b64encode(image).decode()
    tensor: dict[str, Any] = {"name": "image", "shape": [1], "datatype": "BYTES"}
    raw = struct.pack("<I", len(image)) + image
    head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(raw)}}]})
    form = (
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        + image
        + b"\r\n--b--\r\n"
    )
    v1 = {"instances": [{"image": {"b64": text}}, {"data": text}]}
    v2 = {"id": "7", "inputs": [tensor | {"data": [text]}], "outputs": [{"name": "readings"}]}
    return [
        Asking("/read", image),
        Asking("/read", form, {"content-type": "multipart/form-data; boundary=b"}),
        Asking("/v1/models/plateflow:predict", json.dumps(v1).encode()),
        Asking("/v1/models/plateflow:predict", json.dumps({"data": text}).encode()),
        Asking(V2_PATH, json.dumps(v2).encode()),
        Asking(V2_PATH, head.encode() + raw, {"inference-header-content-length": str(len(head))}),
    ]


def mutated_bytes(data: bytes, dice: random.Random) -> bytes:
    """One of the ways in which bytes go wrong."""
    if not data:
        return dice.randbytes(20)
    start, end = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
    ways: list[Callable[[], bytes]] = [
        lambda: data[:start],
        lambda: data[:start] + data[end:],
        lambda: data[:start] + data[start:end] * 3 + data[end:],
        lambda: data[:start] + dice.randbytes(dice.randrange(1, 40)) + data[start:],
        lambda: data[:start] + bytes([dice.randrange(256)]) + data[start + 1 :],
        lambda: dice.randbytes(dice.randrange(200)),
    ]
    return dice.choice(ways)()


def mutated_json(value: Any, dice: random.Random) -> Any:
    """JSON with one value in it replaced, left out or doubled."""
    if dice.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return dice.choice(ODD_VALUES)
    if isinstance(value, dict):
        key = dice.choice(list(value))
        rest = {name: entry for name, entry in value.items() if name != key}
        if dice.random() < 0.2:
            return rest
        return rest | {key: mutated_json(value[key], dice)}
    place = dice.randrange(len(value))
    if dice.random() < 0.2:
        return value * dice.choice([0, 2, 70])
    return [*value[:place], mutated_json(value[place], dice), *value[place + 1 :]]


def mutated(asking: Asking, dice: random.Random) -> Asking:
    """A request with one or two things wrong."""
    if asking.body[:1] == b"{" and not asking.headers and dice.random() < 0.6:
        body = json.dumps(mutated_json(json.loads(asking.body), dice)).encode()
    else:
        body = mutated_bytes(asking.body, dice)
    changed = replace(asking, body=body)
    if dice.random() < 0.3:
        name = dice.choice(
            [
                "inference-header-content-length",
                "content-type",
                "x-deadline-ms",
                "x-request-id",
                "authorization",
                "expect",
            ]
        )
        value = dice.choice(
            ["", "-1", "5", "1e9", "nan", "99999999999", "multipart/form-data", "é"]
        )
        changed = replace(changed, headers=asking.headers | {name: value})
    if dice.random() < 0.05:
        changed = replace(changed, method=dice.choice(["GET", "PUT", "DELETE", "HEAD", "PATCH"]))
    return changed


@pytest.fixture(scope="module")
def server() -> Iterator[Predictor]:
    with running_predictor("limits.body_seconds=2.0") as running:
        yield running


def answer_of(connection: http.client.HTTPConnection, asking: Asking) -> tuple[int, bytes]:
    headers = {name: value.encode() for name, value in asking.headers.items()}
    connection.request(asking.method, asking.path, asking.body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def ask_many(port: int, requests: list[Asking]) -> list[tuple[Asking, int, bytes]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    answers = []
    for asking in requests:
        try:
            answers.append((asking, *answer_of(connection, asking)))
        finally:
            # The next may need a new one, as answers to half-read requests end the connection.
            if connection.sock is None or connection.sock.fileno() < 0:
                connection.close()
    connection.close()
    return answers


def test_http(server: Predictor, sample: bytes, grey: bytes) -> None:
    dice = random.Random(6)
    originals = [*seeds(sample), *3 * seeds(grey)]
    requests = [mutated(dice.choice(originals), dice) for _ in range(NUM_HTTP)]
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(
            lambda part: ask_many(server.port, part), (requests[n::8] for n in range(8))
        )
        answers = [answer for part in parts for answer in part]
    assert len(answers) == NUM_HTTP
    statuses = {status for _, status, _ in answers}
    # The mutations reach what they are for: some are read all the same, most are refused.
    assert {200, 400, 405} <= statuses
    for asking, status, content in answers:
        assert status < 500 or status in ALLOWED_FAULTS, (asking, content)
        if status != 200 and asking.method != "HEAD":
            assert list(json.loads(content)) == ["error"], (asking, content)
    assert_well(server, sample)


def test_raw_http(server: Predictor, sample: bytes, grey: bytes) -> None:
    """Bytes that are hardly HTTP any more, from clients that hang up after them."""
    dice = random.Random(7)

    def send(seed: int) -> bytes:
        own = random.Random(seed)
        asking = own.choice(seeds(grey))
        head = f"{asking.method} {asking.path} HTTP/1.1\r\nHost: x\r\n"
        headers = asking.headers | {"Content-Length": str(len(asking.body))}
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        address = ("127.0.0.1", server.port)
        # The server may hang up first.
        with socket.create_connection(address, 20) as connection, suppress(ConnectionError):
            connection.sendall(mutated_bytes(head.encode(), own) + asking.body)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(100)
        return b""

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, [dice.randrange(2**32) for _ in range(NUM_RAW)]))
    codes = {int(answer.split()[1]) for answer in answers if answer}
    assert 400 in codes
    assert not {code for code in codes if code >= 500} - ALLOWED_FAULTS
    assert_well(server, sample)


def test_grpc(server: Predictor, sample: bytes, grey: bytes) -> None:
    dice = random.Random(8)
    tensor = pb.ModelInferRequest.InferInputTensor(name="image", shape=[1], datatype="BYTES")
    originals = []
    for image in (sample, grey, grey):
        raw = pb.ModelInferRequest(model_name="plateflow", inputs=[tensor])
        raw.raw_input_contents.append(struct.pack("<I", len(image)) + image)
        plain = pb.ModelInferRequest(model_name="plateflow", inputs=[tensor])
        plain.inputs[0].contents.bytes_contents.append(image)
        originals += [raw.SerializeToString(), plain.SerializeToString()]
    with grpc.insecure_channel(server.grpc_address) as channel:
        # Bytes as they are: what is sent need not be a message.
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

        def ask(data: bytes) -> grpc.StatusCode:
            try:
                infer(data, timeout=20)
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                return code
            return grpc.StatusCode.OK

        # What comes first in a message is short: names and shapes.
        requests = [
            mutated_bytes(data[:60], dice) + data[60:]
            if dice.random() < 0.5
            else mutated_bytes(data, dice)
            for data in dice.choices(originals, k=NUM_GRPC)
        ]
        with ThreadPoolExecutor(8) as pool:
            codes = set(pool.map(ask, requests))
    wanted = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
    busy = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert wanted <= codes <= wanted | busy
    assert_well(server, sample)


def assert_well(server: Predictor, sample: bytes) -> None:
    """It answers as before, holds nothing back, and saw no fault of its own."""
    response = httpx.post(f"{server.url}/read", content=sample)
    assert texts_of(response.json()) == SAMPLE_TEXTS
    wait_until(lambda: "plateflow_queued_images 0.0" in httpx.get(f"{server.url}/metrics").text)
    assert "a fault of the server" not in server.log.read_text()
    assert server.memory_mb() < 1000
