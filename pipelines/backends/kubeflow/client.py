"""kfp's client, told to be quiet and to send its requests as we do."""

from __future__ import annotations

from typing import Any

from kfp.client import Client

from pipelines.backends.kubeflow.session import Session


class QuietClient(Client):  # type: ignore[misc]
    """`kfp.Client` without the file in the user's home, which the SDK reads and writes."""

    def __init__(self, url: str, session: Session) -> None:
        """Talk to the server at `url`."""
        self._namespace = ""
        # With a token, it looks for no other login; the session does not send this one.
        super().__init__(host=url, existing_token="-")
        # All its apis share this one.
        self.pipelines.api_client.rest_client.pool_manager = session

    def _load_context_setting_or_default(self) -> None:
        self._context_setting: dict[str, Any] = {"namespace": ""}

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
        """What the constructor asks for; `Server.health` says it of the server."""
        return self.api_models.V2beta1GetHealthzResponse(multi_user=False)

    def get_user_namespace(self) -> str:
        """The namespace of what is asked for; empty: the server has but one user."""
        return self._namespace

    def set_user_namespace(self, namespace: str) -> None:
        """Ask for what is in a namespace."""
        self._namespace = namespace
