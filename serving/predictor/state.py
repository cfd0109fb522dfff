"""What HTTP and gRPC share in one process of the server."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass

from serving.predictor.context import current_request
from serving.predictor.errors import UnauthorizedError
from serving.predictor.model import PlateModel
from serving.predictor.room import BodyRoom
from serving.predictor.tracing import Tracing

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerState:
    """One process' parts.

    Attributes:
        model: What answers.
        tracing: Where requests leave their spans.
        room: What bodies may take.
        token: Whoever asks for readings must bring it; None: no question.
    """

    model: PlateModel
    tracing: Tracing
    room: BodyRoom
    token: str | None

    def check_token(self, authorization: str | None) -> None:
        """Compare a request's `Authorization` with the token, in the same time whatever it is.

        Raises:
            UnauthorizedError: It does not bring the token.
        """
        if self.token is None:
            return
        scheme, _, token = (authorization or "").partition(" ")
        is_same = hmac.compare_digest(token.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not is_same:
            raise UnauthorizedError("`Authorization: Bearer <token>` is missing, or another one")

    def answered(
        self, protocol: str, code: int | str, seconds: float, error: Exception | None
    ) -> None:
        """A request for readings is over: count it, and log it if the config says so.

        Args: as `PredictorMetrics.answered`.
        """
        self.model.reader.metrics.answered(protocol, code, seconds, error)
        if not self.model.settings.log_requests:
            return
        request = current_request.get()
        timings = {} if request is None else request.timings_ms
        fields = {
            "status": code,
            "ms": round(1e3 * seconds, 3),
            "timings_ms": {stage: round(ms, 3) for stage, ms in timings.items()},
        }
        _log.info("answered", extra={"fields": fields})
