"""KServe's V2 protocol over gRPC."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from kserve import InferRequest
from kserve.errors import InvalidInput
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from serving.predictor import v2
from serving.predictor.context import new_request
from serving.predictor.errors import BusyError, RequestError, let_go
from serving.predictor.state import ServerState
from serving.predictor.tracing import TRACE_HEADERS

_log = logging.getLogger(__name__)
_SERVICE = "inference.GRPCInferenceService"
Answering = Callable[[Any, Any], Awaitable[Message]]


class GrpcServer:
    """A gRPC server on the event loop that HTTP is answered on."""

    def __init__(self, state: ServerState, address: str) -> None:
        """A server that does not run yet.

        Args:
            state: What HTTP's side has too.
            address: Host and port, which other processes of this server may share.
        """
        self.model = state.model
        self._state = state
        self._address = address
        self._server: Any = None

    async def start(self) -> None:
        """Listen and answer."""
        limits = self.model.settings.limits
        max_bytes = int(limits.grpc_megabytes * 1e6)
        self._server = grpc.aio.server(
            # A message is whole, and there several times over, before it can be refused.
            maximum_concurrent_rpcs=limits.grpc_calls,
            options=[
                ("grpc.max_receive_message_length", max_bytes),
                ("grpc.max_send_message_length", max_bytes),
                ("grpc.so_reuseport", 1),
            ],
        )
        methods: dict[str, tuple[type[Message], Answering]] = {
            "ServerLive": (pb.ServerLiveRequest, self._server_live),
            "ServerReady": (pb.ServerReadyRequest, self._server_ready),
            "ServerMetadata": (pb.ServerMetadataRequest, self._server_metadata),
            "ModelReady": (pb.ModelReadyRequest, self._model_ready),
            "ModelMetadata": (pb.ModelMetadataRequest, self._model_metadata),
            "ModelInfer": (pb.ModelInferRequest, self._model_infer),
        }
        handlers = {name: _handler(*method) for name, method in methods.items()}
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(_SERVICE, handlers)]
        )
        self._server.add_insecure_port(self._address)
        await self._server.start()

    async def stop(self) -> None:
        """Close all connections; what is in flight was waited for before."""
        if self._server is not None:
            await self._server.stop(grace=1)

    async def _server_live(self, _: Message, context: Any) -> Message:
        return pb.ServerLiveResponse(live=True)

    async def _server_ready(self, _: Message, context: Any) -> Message:
        return pb.ServerReadyResponse(ready=self.model.ready)

    async def _server_metadata(self, _: Message, context: Any) -> Message:
        return pb.ServerMetadataResponse(
            name=v2.SERVER_NAME, version=version("plateflow"), extensions=v2.EXTENSIONS
        )

    async def _model_ready(self, request: Any, context: Any) -> Message:
        await self._check_name(request.name, context)
        return pb.ModelReadyResponse(ready=self.model.ready)

    async def _model_metadata(self, request: Any, context: Any) -> Message:
        await self._check_name(request.name, context)
        return pb.ModelMetadataResponse(**self.model.metadata())

    async def _check_name(self, name: str, context: Any) -> None:
        if name != self.model.name:
            message = f"there is no model {name!r:.60}, only {self.model.name}"
            await context.abort(grpc.StatusCode.NOT_FOUND, message)

    async def _model_infer(self, message: Any, context: Any) -> Message:
        await self._check_name(message.model_name, context)
        started = time.monotonic()
        error: Exception | None = None
        code = grpc.StatusCode.OK
        details = ""
        self.model.in_flight += 1
        try:
            return await self._read(message, context)
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except (RequestError, InvalidInput) as refusal:
            error = refusal if isinstance(refusal, RequestError) else RequestError(str(refusal))
            let_go(error)
            code, details = grpc.StatusCode[error.grpc_code], str(error)
        except Exception as fault:
            _log.exception("a fault of the server")
            error = let_go(fault)
            code, details = grpc.StatusCode.INTERNAL, "a fault of the server; its log says more"
        finally:
            self.model.in_flight -= 1
            seconds = time.monotonic() - started
            self._state.answered("grpc", code.name, seconds, error)
        if isinstance(error, BusyError):
            context.set_trailing_metadata([("retry-after", f"{error.retry_after_seconds:g}")])
        await context.abort(code, details)
        raise AssertionError("abort raises")

    async def _read(self, message: Any, context: Any) -> Message:
        sent = {key: value for key, value in context.invocation_metadata() if type(value) is str}
        limits = self.model.settings.limits
        request = new_request("grpc", sent.get("x-request-id"), limits.deadline_seconds)
        request.shorten(sent.get("x-deadline-ms"))
        # gRPC's own deadline needs no look: it cancels this when it passes.
        await context.send_initial_metadata([("x-request-id", request.id)])
        self._state.check_token(sent.get("authorization"))
        self.model.check_ready()
        _check_contents(message)
        traced = {name: sent.get(name) for name in TRACE_HEADERS}
        with self._state.room.request() as take, self._state.tracing.span(request, traced):
            request.num_bytes = message.ByteSize()
            take(request.num_bytes)
            response, _ = await self.model(InferRequest.from_grpc(message))
            answer: Message = response.to_grpc()
            return answer


def _handler(kind: type[Message], answer: Answering) -> Any:
    """A method of the service; what is no message of its kind is the client's mistake, not ours."""

    async def checked(data: bytes, context: Any) -> Message:
        try:
            message = kind.FromString(data)
        except DecodeError as error:
            reason = f"not a {kind.__name__}: {error}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        return await answer(message, context)

    return grpc.unary_unary_rpc_method_handler(
        checked, response_serializer=lambda message: message.SerializeToString()
    )


def _check_contents(message: Any) -> None:
    """An input's data stand in one place, and that of each input in the same kind of place.

    Raises:
        RequestError: They do not.
    """
    raw = len(message.raw_input_contents)
    if raw and raw != len(message.inputs):
        raise RequestError(f"{raw} raw_input_contents of {len(message.inputs)} inputs")
    if raw and any(tensor.HasField("contents") for tensor in message.inputs):
        raise RequestError("contents and raw_input_contents exclude each other")
