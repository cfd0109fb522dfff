"""KServe's V2 protocol over gRPC."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from tests.servers.predictor import SAMPLE_TEXTS, Predictor, running_predictor, texts_of, wait_until


@pytest.fixture
def stub(predictor: Predictor) -> Iterator[GRPCInferenceServiceStub]:
    with grpc.insecure_channel(predictor.grpc_address) as channel:
        yield GRPCInferenceServiceStub(channel)


def request_of(*images: bytes, raw: bool = True, **fields: Any) -> pb.ModelInferRequest:
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="image", shape=[len(images)], datatype="BYTES"
    )
    request = pb.ModelInferRequest(model_name="plateflow", inputs=[tensor])
    if raw:
        content = b"".join(struct.pack("<I", len(image)) + image for image in images)
        request.raw_input_contents.append(content)
    else:
        request.inputs[0].contents.bytes_contents.extend(images)
    request.MergeFrom(pb.ModelInferRequest(**fields))
    return request


def refusal(stub: Any, request: pb.ModelInferRequest, **options: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(request, **options)
    return caught.value.code().name, caught.value.details()


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "contents"])
def test_infer(stub: GRPCInferenceServiceStub, sample: bytes, grey: bytes, raw: bool) -> None:
    response, call = stub.ModelInfer.with_call(
        request_of(sample, grey, raw=raw, id="7"), metadata=[("x-request-id", "photo-8")]
    )
    assert (response.id, response.model_name) == ("7", "plateflow")
    output = response.outputs[0]
    assert (output.name, output.datatype, list(output.shape)) == ("readings", "BYTES", [2])
    if raw:
        # Each with its length before it.
        content = response.raw_output_contents[0]
        (size,) = struct.unpack_from("<I", content)
        first = content[4 : 4 + size]
    else:
        first = output.contents.bytes_contents[0]
    assert texts_of(json.loads(first)) == SAMPLE_TEXTS
    assert ("x-request-id", "photo-8") in call.initial_metadata()


def test_kserves_own_client(predictor: Predictor, sample: bytes) -> None:
    async def ask() -> tuple[bool, Any]:
        async with InferenceGRPCClient(predictor.grpc_address) as client:
            tensor = InferInput("image", [1], "BYTES")
            tensor.set_data_from_numpy(np.array([sample], dtype=np.object_))
            ready = await client.is_model_ready("plateflow")
            return ready, await client.infer(InferRequest("plateflow", [tensor]))

    ready, response = asyncio.run(ask())
    assert ready
    (readings,) = response.outputs[0].as_numpy()
    assert texts_of(json.loads(readings)) == SAMPLE_TEXTS


def test_health_and_metadata(stub: GRPCInferenceServiceStub) -> None:
    assert stub.ServerLive(pb.ServerLiveRequest()).live
    assert stub.ServerReady(pb.ServerReadyRequest()).ready
    assert stub.ModelReady(pb.ModelReadyRequest(name="plateflow")).ready
    assert stub.ServerMetadata(pb.ServerMetadataRequest()).name == "plateflow"
    model = stub.ModelMetadata(pb.ModelMetadataRequest(name="plateflow"))
    assert [tensor.name for tensor in (*model.inputs, *model.outputs)] == ["image", "readings"]
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelReady(pb.ModelReadyRequest(name="other"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        pytest.param({"model_name": "other"}, "NOT_FOUND", "there is no model 'other'", id="model"),
        pytest.param(
            {"raw_input_contents": [b""]}, "INVALID_ARGUMENT", "2 raw_input_contents", id="raw"
        ),
        pytest.param({"outputs": [{"name": "x"}]}, "INVALID_ARGUMENT", "only `read", id="output"),
    ],
)
def test_mistakes(
    stub: GRPCInferenceServiceStub, grey: bytes, changes: Any, code: str, reason: str
) -> None:
    found, details = refusal(stub, request_of(grey, **changes))
    assert found == code
    assert reason in details


def test_bad_images(stub: GRPCInferenceServiceStub, sample: bytes) -> None:
    for image in (b"", b"text as an image", sample[:2000]):
        code, details = refusal(stub, request_of(image))
        assert code == "INVALID_ARGUMENT"
        assert "\n" not in details


def test_bytes_that_are_no_message(predictor: Predictor) -> None:
    with grpc.insecure_channel(predictor.grpc_address) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as caught:
            infer(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a ModelInferRequest" in caught.value.details()


def test_deadlines(stub: GRPCInferenceServiceStub, sample: bytes) -> None:
    """gRPC's own, and our header's."""
    assert refusal(stub, request_of(sample), timeout=0.0001)[0] == "DEADLINE_EXCEEDED"
    late = refusal(stub, request_of(sample), metadata=[("x-deadline-ms", "0.001")])
    assert late == ("DEADLINE_EXCEEDED", "not answered in time")


def test_client_that_cancels(
    predictor: Predictor, stub: GRPCInferenceServiceStub, sample: bytes
) -> None:
    calls = [stub.ModelInfer.future(request_of(*[sample] * 8)) for _ in range(6)]
    metrics = f"{predictor.url}/metrics"
    wait_until(lambda: "plateflow_queued_images 0.0" not in httpx.get(metrics).text)
    for call in calls:
        call.cancel()
    wait_until(lambda: "plateflow_queued_images 0.0" in httpx.get(metrics).text)
    cancelled = 'plateflow_requests_total{code="CANCELLED",protocol="grpc"}'
    wait_until(lambda: cancelled in httpx.get(metrics).text)


def test_token_and_full_queue(grey: bytes) -> None:
    environment = {"PLATEFLOW_SERVE_TOKEN": "s3cret"}
    with (
        running_predictor(
            "limits.queued_images=2", "limits.all_bodies_megabytes=1.0", environment=environment
        ) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerReady(pb.ServerReadyRequest()).ready
        assert refusal(stub, request_of(grey))[0] == "UNAUTHENTICATED"
        token = [("authorization", "Bearer s3cret")]
        assert stub.ModelInfer(request_of(grey), metadata=token).outputs
        full = refusal(stub, request_of(bytes(1_000_000)), metadata=token)
        assert full == ("UNAVAILABLE", "too much is being sent at once")

        calls = [stub.ModelInfer.future(request_of(grey, grey), metadata=token) for _ in range(16)]
        refused = [call for call in calls if call.exception() is not None]
    assert {call.code() for call in refused} == {grpc.StatusCode.UNAVAILABLE}
    assert {dict(call.trailing_metadata())["retry-after"] for call in refused} == {"1"}


def test_a_message_above_the_limit_is_refused_and_the_next_one_read(
    stub: GRPCInferenceServiceStub, sample: bytes
) -> None:
    code, details = refusal(stub, request_of(bytes(8_100_000)))
    assert code == "RESOURCE_EXHAUSTED"
    assert "8000000" in details
    assert stub.ModelInfer(request_of(sample)).outputs
