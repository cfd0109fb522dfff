"""What HTTP and gRPC share in one process of the server."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from serving.predictor.errors import UnauthorizedError
from serving.predictor.model import PlateModel
from serving.predictor.tracing import Tracing


@dataclass(frozen=True)
class ServerState:
    """One process' parts.

    Attributes:
        model: What answers.
        tracing: Where requests leave their spans.
        token: Whoever asks for readings must bring it; None: no question.
    """

    model: PlateModel
    tracing: Tracing
    token: str | None

    def check_token(self, authorization: str | None) -> None:
        """Compare a request's `Authorization` with the token, in the same time whatever it is.

        Raises:
            UnauthorizedError: It does not bring the token.
        """
        if self.token is None:
            return
        wanted = f"Bearer {self.token}".encode()
        if not hmac.compare_digest((authorization or "").encode(), wanted):
            raise UnauthorizedError("`Authorization: Bearer <token>` is missing, or another one")
