"""The client against the model server, and through a gateway that has faults."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import SecretStr

from serving.client import ImageError, PlateClient, ServerError, client_settings
from serving.predictor.answer import ImageAnswer, plate_dict
from sub_module.datasets.coco import load_image
from sub_module.engine.infer import SHIPPED_MODEL, load_detector
from sub_module.errors import ConfigError
from sub_module.plates import PlateReading
from tests.servers.predictor import Predictor, wait_until
from tests.servers.tls import Authority
from tests.serving.client.gateway import HTML, TOKEN, Asked, Gateway, Said
from tests.standards import REPOSITORY

SAMPLE = REPOSITORY / "docs" / "samples" / "motorcycle.jpg"
OTHER = REPOSITORY / "docs" / "samples" / "coffee.jpg"
PAGE = b"<html><body>Welcome to the gateway</body></html>"


def asked(
    url: str,
    *images: bytes | Path,
    token: str | None = TOKEN,
    host: str | None = None,
    waits: list[str] | None = None,
    **changes: Any,
) -> list[ImageAnswer | BaseException]:
    """Answers to images that are asked about at the same time, or why there are none."""

    async def read_all() -> list[ImageAnswer | BaseException]:
        secret = None if token is None else SecretStr(token)
        on_wait = [].append if waits is None else waits.append
        settings = client_settings({"url": url, "patience_seconds": 0.4, **changes})
        async with PlateClient(settings, secret, host, on_wait) as client:
            return await asyncio.gather(*map(client.read, images), return_exceptions=True)

    return asyncio.run(read_all())


def read(url: str, image: bytes | Path = SAMPLE, **more: Any) -> ImageAnswer:
    """The answer to one image.

    Raises:
        ImageError, ServerError: There is none.
    """
    (answer,) = asked(url, image, **more)
    if isinstance(answer, BaseException):
        raise answer
    return answer


def corners_of(answer: ImageAnswer) -> dict[str, NDArray[np.float64]]:
    """The corners of each plate by its text."""
    return {reading.text: np.array(reading.corners) for reading in answer.readings}


def test_it_reads_as_the_library_does(predictor: Predictor) -> None:
    (readings,) = load_detector(SHIPPED_MODEL).predict([load_image(SAMPLE)])
    for image in (SAMPLE, SAMPLE.read_bytes()):
        answer = read(predictor.url, image)
        rounded = [PlateReading.from_dict(plate_dict(reading)) for reading in readings]
        assert list(answer.readings) == rounded
        assert readings
        assert (answer.width, answer.height) == (640, 480)
        assert answer.model["name"] == "plateflow"
        assert set(answer.timings_ms) >= {"queue", "decode", "read"}


def test_a_small_image_is_sent_as_it_is(gateway: Gateway) -> None:
    read(gateway.url + "/", host="plates.models.example.com")
    (request,) = gateway.asked
    assert request.path == "/v2/models/plateflow/infer"
    assert request.body.endswith(SAMPLE.read_bytes())
    assert len(request.body) - SAMPLE.stat().st_size < 300
    assert request.headers["Host"] == "plates.models.example.com"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["X-Deadline-Ms"] == "60000"


def test_a_large_image_is_sent_smaller_and_read_at_its_own_size(gateway: Gateway) -> None:
    small = cv2.imread(str(SAMPLE))
    assert small is not None
    large = cv2.resize(small, (1920, 1440), interpolation=cv2.INTER_CUBIC)
    exif = Image.Exif()
    # The camera was held on its side.
    exif[0x0112] = 6
    file = BytesIO()
    on_its_side = Image.fromarray(np.rot90(cv2.cvtColor(large, cv2.COLOR_BGR2RGB)))
    on_its_side.save(file, "JPEG", quality=97, exif=exif)
    whole = read(gateway.url, file.getvalue())
    shrunk = read(gateway.url, file.getvalue(), max_payload_megabytes=0.2)
    sizes = [len(request.body) for request in gateway.asked]
    assert sizes[0] > 400_000
    assert 100_000 < sizes[1] <= 200_000
    expected = corners_of(read(gateway.url))
    for answer in (whole, shrunk):
        assert (answer.width, answer.height) == (1920, 1440)
        found = corners_of(answer)
        assert found.keys() == expected.keys()
        for text, corners in found.items():
            # The sample is 640 pixels wide.
            assert np.abs(corners - expected[text] * 1920 / 640).max() < 13


def test_an_image_that_is_none_fails_alone(predictor: Predictor) -> None:
    images = [SAMPLE, b"text", REPOSITORY / "none.jpg", SAMPLE.read_bytes()[:9000], OTHER]
    answers = asked(predictor.url, *images)
    says = [str(a) if isinstance(a, ImageError) else len(a.readings) for a in answers]
    assert says[0] > 0 < says[4]
    assert says[1].startswith("the server says 400: it is no image")
    assert says[2] == "No such file or directory"
    assert "400" in says[3]
    assert "damaged" in says[3]


def test_a_server_without_room_is_asked_again_when_it_says(gateway: Gateway) -> None:
    busy = Said(503, b'{"error": "the queue is full"}', headers={"Retry-After": "1"})
    gateway.plan = lambda number, asked: busy if number == 0 else None
    waits: list[str] = []
    assert read(gateway.url, waits=waits, patience_seconds=10).readings
    first, second = (request.time for request in gateway.asked)
    assert 1 <= second - first < 1.5
    assert waits == [f"the server at {gateway.url} says 503: the queue is full"]


@pytest.mark.parametrize("token", [None, "another"])
def test_a_server_that_wants_another_token(predictor: Predictor, token: str | None) -> None:
    with pytest.raises(ServerError, match=r"401.*PLATEFLOW_SERVE_TOKEN must be its token"):
        read(predictor.url, token=token)


def test_a_server_that_is_full_for_real(predictor: Predictor) -> None:
    waits: list[str] = []
    images = [SAMPLE, OTHER] * 10
    answers = asked(predictor.url, *images, concurrent=20, patience_seconds=60, waits=waits)
    assert any("503" in reason for reason in waits), "it was never full"
    texts = [[r.text for r in a.readings] for a in answers if isinstance(a, ImageAnswer)]
    alone = [[r.text for r in read(predictor.url, image).readings] for image in (SAMPLE, OTHER)]
    assert texts == alone * 10


BUSY = Said(503, PAGE, HTML)
GIVEN_UP = {
    "503 for ever": (BUSY, "says 503: Service Unavailable, 0.4 s long"),
    "a long rest": (
        Said(503, headers={"Retry-After": "3600"}),
        "says 503: .*, 0.4 s long; it asks for 3600 s of rest",
    ),
    "a rest until a date": (
        Said(503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}),
        "it asks for [0-9]{10} s of rest",
    ),
    "cut": (Said(0), "cut the connection .*, 0.4 s long"),
    "a gateway whose server is gone": (Said(502, PAGE, HTML), "says 502: Bad Gateway, 0.4 s long"),
}


@pytest.mark.parametrize(("fault", "reason"), GIVEN_UP.values(), ids=GIVEN_UP)
def test_patience_ends(gateway: Gateway, fault: Said, reason: str) -> None:
    gateway.plan = lambda number, asked: fault
    began = time.monotonic()
    with pytest.raises(ServerError, match=reason):
        read(gateway.url)
    assert time.monotonic() - began < 2
    assert len(gateway.asked) <= 3


def test_patience_ends_for_one_image_that_the_server_cannot_bear(gateway: Gateway) -> None:
    """A gateway cuts the connection when the server behind it dies of an image."""
    deadly = OTHER.read_bytes()

    sent_again = threading.Event()

    def dies_of_it(number: int, asked: Asked) -> Said | None:
        if not asked.body.endswith(deadly):
            assert number < 3 or sent_again.wait(10)
            return None
        if number > 1:
            sent_again.set()
            # Others are answered in the meantime.
            wait_until(lambda: len(gateway.asked) > number + 2)
        return Said(0)

    gateway.plan = dies_of_it
    one, *others = asked(gateway.url, deadly, *[SAMPLE] * 8, concurrent=2)
    assert isinstance(one, ImageError)
    assert "cut the connection" in str(one)
    assert all(isinstance(answer, ImageAnswer) for answer in others)


def v2(content: object) -> Said:
    outputs = [{"name": "readings", "datatype": "BYTES", "shape": [1], "data": [content]}]
    return Said(200, json.dumps({"outputs": outputs}).encode())


STRANGERS = {
    "a page": (Said(200, PAGE, HTML), ServerError, "answers 200 with text/html; .*its address"),
    "no such page": (Said(404, PAGE, HTML), ServerError, "answers 404 with text/html"),
    "nothing": (Said(200, b"", ""), ServerError, "answers 200 with nothing"),
    "a login": (
        Said(302, headers={"Location": "https://login.example.com/"}),
        ServerError,
        "sends on to https://login.example.com/",
    ),
    "forbidden": (Said(403, b"RBAC: access denied", "text/plain"), ServerError, "403: Forbidden"),
    "another model": (Said(404), ServerError, "404: .*/v2/models/plateflow/infer: see model_name"),
    "no JSON": (Said(200, b"{"), ServerError, "not with readings of plates"),
    "other JSON": (Said(200, b"[1]"), ServerError, "not with readings of plates"),
    "other outputs": (Said(200, b'{"outputs": []}'), ServerError, "not with readings of plates"),
    "no readings": (v2("cat"), ServerError, "not with readings of plates"),
    "other readings": (v2('{"plates": [{}]}'), ServerError, "not with readings of plates"),
    "a gateway's limit": (Said(413, PAGE, HTML), ImageError, "413: .*: see max_payload_megabytes"),
    "a fault": (Said(500, b'{"error": "oh\\nno"}'), ImageError, "the server says 500: oh no"),
    "Triton's way": (Said(400, b'{"error": "a cat"}', "text/plain"), ImageError, "400: a cat"),
    "a long story": (Said(400, b'{"error": "%s"}' % (b"x" * 999)), ImageError, r"x\.\.\.$"),
}


@pytest.mark.parametrize(("said", "kind", "reason"), STRANGERS.values(), ids=STRANGERS)
def test_others_that_answer(
    gateway: Gateway, said: Said, kind: type[Exception], reason: str
) -> None:
    gateway.plan = lambda number, asked: said
    with pytest.raises(kind, match=reason):
        read(gateway.url)
    assert len(gateway.asked) == 1


def test_an_answer_that_never_ends(gateway: Gateway) -> None:
    gateway.plan = lambda number, asked: Said(200, b" " * 1000, seconds_a_byte=0.05)
    with pytest.raises(ServerError, match=r"does not answer in 0.3 s, 0.1 s long"):
        read(gateway.url, answer_seconds=0.3, patience_seconds=0.1)
    assert gateway.asked[0].headers["X-Deadline-Ms"] == "300"


def test_a_server_that_was_never_there() -> None:
    """An address that is wrong is told at once; patience is for those who were there."""
    with Gateway().opened() as closed:
        url = closed.url
    began = time.monotonic()
    with pytest.raises(ServerError, match=f"at {url} cannot be reached: Connection refused$"):
        read(url, patience_seconds=60)
    assert time.monotonic() - began < 2


def test_a_server_that_comes_back(predictor: Predictor) -> None:
    gateway = Gateway(predictor.url)

    async def read_around_a_restart() -> ImageAnswer:
        waiting = asyncio.Event()
        settings = client_settings({"url": gateway.url})
        async with PlateClient(settings, SecretStr(TOKEN), None, lambda _: waiting.set()) as client:
            await client.read(SAMPLE)
            listening.__exit__(None, None, None)
            again = asyncio.create_task(client.read(SAMPLE))
            await asyncio.wait_for(waiting.wait(), 10)
            with gateway.opened():
                return await again

    listening = gateway.opened()
    listening.__enter__()
    assert asyncio.run(read_around_a_restart()).readings


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(predictor: Predictor, authority: Authority) -> Iterator[Gateway]:
    """A gateway that shows the certificate of one of its hosts, which is not its address."""
    tls = authority.server("plates.example.com")
    with Gateway(predictor.url, tls).opened() as listening:
        yield listening


def test_tls(secure: Gateway, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"certificate that does not verify; SSL_CERT_FILE"):
        read(secure.url, host="plates.example.com")
    with pytest.raises(ServerError, match=r"does not speak TLS"):
        read("https" + secure._behind.removeprefix("http"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert read(secure.url, host="plates.example.com:443").readings
    with pytest.raises(ServerError, match=r"certificate that does not verify"):
        read(secure.url)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": "localhost:18480"}, "url: a URL begins with http:// or https://, got 'localhost"),
        ({"url": "127.0.0.1:8080"}, "url: a URL begins with http:// or https://"),
        ({"url": "http:///read"}, "url: no URL such as http://127.0.0.1:8080"),
        ({"url": "http://[::1"}, r"url: no URL \(Invalid port"),
        ({"model_name": "a/b"}, "model_name: "),
        ({"concurrent": 0}, "concurrent: .*, got 0"),
        ({"url": "http://127.0.0.1:80800"}, "url: no URL such as"),
        ({"url": "http://127.0.0.1:8080/?model=plateflow"}, "url: no URL such as"),
        ({"max_payload_megabytes": 0}, "max_payload_megabytes: "),
        ({"max_payload_megabytes": float("inf")}, "max_payload_megabytes: "),
        ({"patience": 1}, "patience"),
    ],
)
def test_settings_that_cannot_be_used(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        client_settings(changes)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", "d\u00e9j\u00e0"])
def test_a_token_that_fits_into_no_header_is_told_but_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="PLATEFLOW_SERVE_TOKEN: ") as raised:
        read("http://127.0.0.1:9", token=token)
    assert token.strip() not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nothing/here"), ("HTTPS_PROXY", "ftp://127.0.0.1:9")]
)
def test_an_environment_that_cannot_be_used(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"environment .*{name}"):
        read("https://127.0.0.1:9")


def test_a_token_in_the_url_is_not_shown() -> None:
    with pytest.raises(ServerError) as raised:
        read("http://somebody:secret@127.0.0.1:9")
    assert "127.0.0.1:9 cannot be reached" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_requests_have_names(gateway: Gateway) -> None:
    def only_the_second(number: int, asked: Asked) -> Said | None:
        return BUSY if number == 0 else None

    gateway.plan = only_the_second
    read(gateway.url)
    read(gateway.url)
    first, again, other = (request.headers["X-Request-Id"] for request in gateway.asked)
    assert first == again != other
