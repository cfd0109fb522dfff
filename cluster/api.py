"""The connection to a cluster's Kubernetes API, with one way to ask and one kind of error."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sub_module.errors import ClusterError
from sub_module.settings import Settings

# Of every object that we make.
LABELS = {"app.kubernetes.io/name": "plateflow", "app.kubernetes.io/managed-by": "plateflow"}

# To connect, and between two bytes of an answer.
_TIMEOUT_SECONDS = (5.0, 30.0)
# Before each time that something is asked again.
PAUSES_SECONDS = (0.3, 1.0, 2.0)
# A server's own wish (Retry-After) is followed up to here; whoever wants more time is left alone.
_LONGEST_PAUSE_SECONDS = 10.0
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _TOO_MANY = 401, 404, 409, 429
# Of an answer that never came.
_NO_STATUS = 0
_AWAY = (_TOO_MANY, 500, 502, 503, 504)
# Methods of the client that change nothing, however often they are called.
_QUESTIONS = (
    *("read_", "list_", "get_"),
    *("create_self_subject_", "create_namespaced_service_account_token"),
)
# Whoever needed longer to fail is not asked again: people wait for each answer.
_LONG_SECONDS = 4.0
_LONGEST_REASON = 300

Answer = TypeVar("Answer")


class AwayError(ClusterError):
    """The cluster does not answer now, but may soon.

    Attributes:
        acted: Whether it may have done what was asked, its answer being lost.
        pause_seconds: How long it wishes to be left alone; None: it says nothing.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        *,
        acted: bool = True,
        pause_seconds: float | None = None,
    ) -> None:
        """One line, and what is known."""
        super().__init__(message, status)
        self.acted, self.pause_seconds = acted, pause_seconds


class KubernetesApi:
    """A cluster, and the namespace in it that is ours.

    Attributes:
        namespace: Of everything that we make.
        host: The API server's URL.
        client: The `kubernetes` package's ApiClient, for apis that are not below.
        core: Its CoreV1Api.
        custom: Its CustomObjectsApi.
        authorization: Its AuthorizationV1Api.
        version: Its VersionApi.
    """

    def __init__(self, configuration: Any, namespace: str) -> None:
        """A `kubernetes` Configuration; nothing is asked yet."""
        from kubernetes import client

        # What is asked again, and when, is decided here.
        configuration.retries = False
        self.namespace, self.host = namespace, str(configuration.host)
        self.client = client.ApiClient(configuration)
        self.client.deserialize = self._reader(self.client.deserialize)
        self.core = client.CoreV1Api(self.client)
        self.custom = client.CustomObjectsApi(self.client)
        self.authorization = client.AuthorizationV1Api(self.client)
        self.version = client.VersionApi(self.client)

    def call(self, what: str, function: Callable[..., Any], *args: Any, **arguments: Any) -> Any:
        """Call a method of an api; questions are asked again when the cluster is away.

        What changes something is sent again only where the cluster surely has not acted.

        Args:
            what: The object for the error's message, such as `secret plateflow`.
            function: Such as `api.core.read_namespaced_secret`.
            args: Its arguments.
            arguments: Its arguments; `_request_timeout` is given.

        Raises:
            AwayError: The cluster cannot be reached, or is not well (429, 5xx).
            ClusterError: It refuses; `status` says with what.
        """
        return asked(
            lambda: self._call_once(what, function, *args, **arguments),
            is_repeatable=function.__name__.startswith(_QUESTIONS),
        )

    def create(
        self,
        what: str,
        create: Callable[..., Any],
        read: Callable[..., Any],
        *,
        name: str,
        body: Any,
        **arguments: Any,
    ) -> tuple[Any, bool]:
        """Find an object in the namespace, or make it; a name is never made twice.

        Whoever may only look gets by with that where the object is there. After a lost answer it is
        looked for again.

        Args:
            what: The object for the error's message.
            create: Such as `api.core.create_namespaced_secret`.
            read: Such as `api.core.read_namespaced_secret`.
            name: The object's.
            body: The object.
            arguments: Of both methods, such as a custom object's group, version and plural.

        Returns:
            The object as the cluster has it, and whether it was made now. It may not look like
            `body` even then: compare.

        Raises:
            ClusterError: As `call`.
        """
        arguments["namespace"] = self.namespace
        was_lost = False
        for pause in (*PAUSES_SECONDS, None):
            try:
                return self.call(what, read, name=name, **arguments), was_lost
            except ClusterError as error:
                if error.status != _NOT_FOUND:
                    raise
            try:
                made = self.call(what, create, body=body, field_validation="Strict", **arguments)
            except ClusterError as error:
                is_lost = isinstance(error, AwayError) and error.acted
                # In a conflict somebody else was faster.
                if pause is None or not (is_lost or error.status == _CONFLICT):
                    raise
                was_lost = is_lost
                _rest(error, pause)
            else:
                return made, True
        raise AssertionError

    def _call_once(
        self, what: str, function: Callable[..., Any], *args: Any, **arguments: Any
    ) -> Any:
        from kubernetes.client import ApiException
        from urllib3 import exceptions as lost

        where = f"{what}: the cluster at {self.host}"
        connect_seconds, read_seconds = _TIMEOUT_SECONDS
        try:
            return function(*args, **arguments, _request_timeout=_TIMEOUT_SECONDS)
        except ApiException as error:
            raise _refused(where, error) from error
        except lost.NewConnectionError as error:
            reason = last_part(error)
            raise AwayError(f"{where} cannot be reached: {reason}", acted=False) from error
        except lost.ConnectTimeoutError as error:
            reason = f"no answer in {connect_seconds:g} s"
            raise AwayError(f"{where} cannot be reached: {reason}") from error
        except lost.ReadTimeoutError as error:
            raise AwayError(f"{where} does not answer in {read_seconds:g} s") from error
        except lost.HTTPError as error:
            raise AwayError(f"{where}: the connection was cut: {last_part(error)}") from error
        except ValueError as error:
            # What is no UTF-8, or leaves out what the client's models require.
            raise ClusterError(f"{where} answers, but not as Kubernetes does") from error

    def _reader(self, deserialize: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        """The client's reading of answers, without its two surprises."""

        def read(response: Any, kind: str) -> Any:
            if kind == "str":
                # A log whose lines are JSON came out as Python's.
                return response.data
            kept = response.getheader("Content-Type") or ""
            if not kept.startswith("application/json"):
                # A login page became an object without fields.
                raise ClusterError(
                    f"the host {self.host} answers with {kept or 'nothing'} where Kubernetes "
                    "answers with JSON: is it the API server's address?"
                )
            return deserialize(response, kind)

        return read


def asked(ask: Callable[[], Answer], *, is_repeatable: bool) -> Answer:
    """Ask, and ask again when the other side is away.

    What is not repeatable is asked again only where the other side surely has not acted.

    Args:
        ask: Asks once.
        is_repeatable: Whether asking twice does the same as asking once.

    Raises:
        AwayError: As `ask`, the last time.
    """
    for pause in (*PAUSES_SECONDS, None):
        began = time.monotonic()
        try:
            return ask()
        except AwayError as error:
            is_slow = time.monotonic() - began > _LONG_SECONDS
            if pause is None or is_slow or (error.acted and not is_repeatable):
                raise
            _rest(error, pause)
    raise AssertionError


def connect(settings: Settings) -> KubernetesApi:
    """The cluster that kubectl uses here, else the one whose pod this is; asks nothing of it.

    Raises:
        ClusterError: No cluster is configured, or the configuration cannot be used.
    """
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    configuration = client.Configuration()
    # The package reads the variable when it is imported, and prints.
    named = os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    if any(file.exists() for file in files):
        _load(configuration, named)
    else:
        try:
            config.load_incluster_config(client_configuration=configuration)
        except ConfigException:
            raise ClusterError(
                f"no cluster is configured: {named} is not there, and this is no pod of one; "
                "see docs/kubeflow.md"
            ) from None
    return KubernetesApi(configuration, settings.namespace)


def _load(configuration: Any, files: str) -> None:
    from kubernetes import config
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError

    # What a program that logs in (`exec`) answers wrongly is logged, not raised.
    heard: list[str] = []
    listener = logging.Handler(logging.ERROR)
    listener.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logging.root.addHandler(listener)
    try:
        config.load_kube_config(files, client_configuration=configuration, persist_config=False)
    except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError) as error:
        reason = _one_line(str(error)) or type(error).__name__
        raise ClusterError(f"no cluster is configured: {files}: {reason}") from error
    finally:
        logging.root.removeHandler(listener)
    if heard:
        raise ClusterError(f"no cluster is configured: {files}: {_one_line(heard[0])}")


def _refused(where: str, error: Any) -> ClusterError:
    """What an answer that is no success means."""
    if error.status == _NO_STATUS:
        # The client's word for TLS.
        reason = last_part(error.reason)
        if "CERTIFICATE_VERIFY_FAILED" in str(error.reason):
            return ClusterError(f"{where} has a certificate that does not verify: {reason}")
        return AwayError(f"{where} cannot be reached: {reason}")
    message = f"{where} says {error.status}: {_reason(error)}"
    if error.status == _UNAUTHORIZED:
        return ClusterError(f"{message}; log in again, as for kubectl", error.status)
    if error.status not in _AWAY:
        return ClusterError(message, error.status)
    wish = (error.headers or {}).get("Retry-After", "")
    again = f"; try again in {wish} s" if wish.isdecimal() else ""
    return AwayError(
        f"{message}{again}",
        error.status,
        acted=error.status != _TOO_MANY,
        pause_seconds=float(wish) if wish.isdecimal() else None,
    )


def _reason(error: Any) -> str:
    """The server's own message; of a proxy's page, the status line."""
    with suppress(ValueError, KeyError, TypeError):
        return _one_line(json.loads(error.body)["message"])
    if error.status == _NOT_FOUND:
        return "it knows no such kind of object: is its CRD installed?"
    return _one_line(str(error.reason))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."


def last_part(error: object) -> str:
    """The reason in an error of urllib3, without the errors and objects that it is wrapped in."""
    while isinstance(error, Exception) and error.args and isinstance(error.args[-1], Exception):
        error = error.args[-1]
    line = re.sub(r"\[(SSL|Errno)[\w: -]*\] | \(_ssl\.c:\d+\)", "", _one_line(str(error)))
    reason = line.rsplit(": ", 1)[-1].strip("()'\" ")
    # Its own bracket is not one of those that it is wrapped in.
    return f"{reason})" if reason.count("(") > reason.count(")") else reason


def _rest(error: ClusterError, seconds: float) -> None:
    """Wait before another try: as long as the other side wishes, else some seconds.

    Raises:
        ClusterError: It wishes to be left alone for longer than anybody waits.
    """
    wish = error.pause_seconds if isinstance(error, AwayError) else None
    if wish is not None and wish > _LONGEST_PAUSE_SECONDS:
        raise error
    time.sleep(seconds if wish is None else wish)
