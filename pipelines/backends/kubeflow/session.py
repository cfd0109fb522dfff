"""Requests to Kubeflow Pipelines: a time limit, other tries where they are safe, one error.

`created` and `unless_gone` are for answers that are lost on their way, `first_of_name` for names
that two take at the same time.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar

import urllib3
from urllib3 import exceptions as lost

from cluster import api
from cluster.api import AwayError, asked, last_part
from pipelines.backends.kubeflow.login import Login
from sub_module.errors import ClusterError

# Who waited in vain is told soon; a list of 200 versions takes a server a few seconds.
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 20.0
_AWAY = (429, 502, 503, 504)
# Asked twice, they do the same as once.
_REPEATABLE = ("GET", "DELETE")
_REPEATABLE_ENDS = (":enable", ":disable")
_LONGEST_REASON = 300
# What the server shows of the question that it asked the cluster.
_REQUEST = re.compile(
    r" with reason: .*?Namespace:([^,]*),Verb:([^,]*),.*?Resource:([^,]*),.*", re.DOTALL
)
# The server's times are whole seconds: so long after, all who asked in the same one see the same.
SETTLE_SECONDS = 1.1

Made = TypeVar("Made")


class Session:
    """What the generated client sends its requests through, in place of urllib3's PoolManager."""

    def __init__(self, host: str, login: Login, pool: urllib3.PoolManager) -> None:
        """Requests to a host, as a login has it.

        Args:
            host: For messages.
            login: Gives the headers that say who asks.
            pool: Brings the certificates that are trusted.
        """
        self._host, self._login, self._pool = host, login, pool

    def request(
        self, method: str, url: str, headers: dict[str, str] | None = None, **content: Any
    ) -> urllib3.BaseHTTPResponse:
        """An answer that says yes, in JSON.

        What creates something is sent again only where the server surely has not acted.

        Args:
            method: HTTP's.
            url: Whole.
            headers: Without those of the login.
            content: `fields` or `body`, as urllib3 takes them.

        Raises:
            AwayError: The server cannot be reached, or is not well (429, 502, 503, 504).
            ClusterError: It refuses; `status` says with what.
        """
        # The generated client's own ideas of these.
        for given in ("timeout", "preload_content"):
            content.pop(given, None)
        kept = {k: v for k, v in (headers or {}).items() if k.lower() != "authorization"}
        is_repeatable = method in _REPEATABLE or url.endswith(_REPEATABLE_ENDS)
        return asked(lambda: self._as_user(method, url, kept, content), is_repeatable=is_repeatable)

    def _as_user(
        self, method: str, url: str, headers: dict[str, str], content: dict[str, Any]
    ) -> urllib3.BaseHTTPResponse:
        """One request; a session that has expired logs in again, once."""
        answer = self._send(method, url, headers, content)
        secure = url.replace("http:", "https:", 1)
        if url.startswith("http:") and answer.headers.get("Location", "").startswith(secure):
            raise ClusterError(f"{self._where} wants https://: set PLATEFLOW_KFP_HOST to that")
        if _asks_for_login(answer) and self._login.renew(url):
            answer = self._send(method, url, headers, content)
        if _asks_for_login(answer):
            # Who serves pages may do so for each path that it does not know.
            path = "; or is it another path, such as /pipeline?" if _is_page(answer) else ""
            raise ClusterError(f"{self._where} asks for a login: {self._login.hint}{path}", 401)
        if answer.status in _AWAY:
            raise self._away(answer)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            message = f"{self._where} says {answer.status}: {_reason(answer)}"
            raise ClusterError(message, answer.status)
        try:
            json.loads(answer.data or b"{}")
        except ValueError:
            raise ClusterError(f"{self._where} does not answer as Kubeflow Pipelines") from None
        return answer

    def _send(
        self, method: str, url: str, headers: dict[str, str], content: dict[str, Any]
    ) -> urllib3.BaseHTTPResponse:
        began = time.monotonic()
        try:
            return self._pool.request(
                method,
                url,
                # The pool empties what it is given.
                headers={**headers, **self._login.headers(url)},
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
                retries=False,
                redirect=False,
                **content,
            )
        except lost.SSLError as error:
            reason = last_part(error)
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ClusterError(
                    f"{self._where} has a certificate that does not verify: {reason}; "
                    "PLATEFLOW_KFP_CA can name a file of those that vouch for it"
                ) from error
            if "WRONG_VERSION_NUMBER" in str(error):
                raise ClusterError(
                    f"{self._where} does not speak TLS: set PLATEFLOW_KFP_HOST to http://"
                ) from error
            raise AwayError(f"{self._where} cannot be reached: {reason}") from error
        except lost.NewConnectionError as error:
            reason = last_part(error)
            raise AwayError(f"{self._where} cannot be reached: {reason}", acted=False) from error
        except lost.ConnectTimeoutError as error:
            reason = f"no answer in {_CONNECT_SECONDS:g} s"
            raise AwayError(f"{self._where} cannot be reached: {reason}", acted=False) from error
        except lost.ReadTimeoutError as error:
            # TLS is agreed upon in the time to connect.
            waited = time.monotonic() - began
            raise AwayError(f"{self._where} does not answer in {waited:.2g} s") from error
        except lost.HTTPError as error:
            reason = last_part(error)
            raise AwayError(f"{self._where}: the connection was cut: {reason}") from error

    def _away(self, answer: urllib3.BaseHTTPResponse) -> AwayError:
        wish = answer.headers.get("Retry-After", "")
        again = f"; try again in {wish} s" if wish.isdecimal() else ""
        return AwayError(
            f"{self._where} says {answer.status}: {_reason(answer)}{again}",
            answer.status,
            acted=answer.status != HTTPStatus.TOO_MANY_REQUESTS,
            pause_seconds=float(wish) if wish.isdecimal() else None,
        )

    @property
    def _where(self) -> str:
        return f"Kubeflow Pipelines at {self._host}"


def created(create: Callable[[], Made], find: Callable[[], Made | None]) -> Made:
    """Create, or find what is there: another's, or ours when the answer was lost on its way.

    A lost answer is never followed by a second try: the server may still be at it.

    Args:
        create: Asks for it, once.
        find: Looks for it by name.

    Raises:
        ClusterError: The server refuses; or the answer was lost, and nothing was made or nobody
            knows.
    """
    try:
        return create()
    except AwayError as error:
        # What was not made, or not even asked for, is not looked for.
        if not error.acted:
            raise
        for pause in (0.0, *api.PAUSES_SECONDS):
            time.sleep(pause)
            try:
                found = find()
            except AwayError as away:
                raise ClusterError(
                    f"{error}; whether it was made cannot be seen now: the same command looks "
                    "before it tries again",
                    away.status,
                ) from away
            if found is not None:
                return found
        raise ClusterError(
            f"{error}; nothing was made, as far as can be seen: try again", error.status
        ) from error
    except ClusterError as error:
        if error.status == HTTPStatus.CONFLICT and (found := find()) is not None:
            return found
        raise


def first_of_name(
    made: Made,
    listed: Callable[[], Iterable[Made]],
    order: Callable[[Made], Any],
    withdraw: Callable[[Made], None],
) -> Made:
    """What counts of what has one name, where the server takes a name twice: the first.

    Two who create the same at the same time both find it, and the second takes its own back.

    Args:
        made: What this process has made just now.
        listed: All that have its name.
        order: The moment in which one was made, and what tells those of one moment apart.
        withdraw: Deletes what this process has made.
    """
    time.sleep(SETTLE_SECONDS)
    try:
        first = min(listed(), key=order, default=made)
        if order(first) < order(made):
            withdraw(made)
            return first
    except ClusterError:
        # Nobody can look now; ours is there.
        pass
    return made


def unless_gone(delete: Callable[..., Any], *names: str, **arguments: Any) -> None:
    """Delete what was there just now; that it is gone is no mistake.

    Args:
        delete: A method of the client.
        names: What to delete.
        arguments: Of the method.

    Raises:
        ClusterError: The server refuses, or cannot be reached.
    """
    try:
        delete(*names, **arguments)
    except ClusterError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _asks_for_login(answer: urllib3.BaseHTTPResponse) -> bool:
    """A refusal, a redirect to a login page, or that page: the API itself has neither."""
    if answer.status == HTTPStatus.UNAUTHORIZED or 300 <= answer.status < 400:
        return True
    return _is_page(answer) and answer.status in (HTTPStatus.OK, HTTPStatus.FORBIDDEN)


def _is_page(answer: urllib3.BaseHTTPResponse) -> bool:
    return answer.headers.get("Content-Type", "").startswith("text/html")


def _reason(answer: urllib3.BaseHTTPResponse) -> str:
    """The server's own message, its first line; of a proxy's page the status in words."""
    text = answer.data.decode(errors="replace")
    with suppress(ValueError, AttributeError, TypeError):
        text = _said(json.loads(text))
    text = _REQUEST.sub(r" to \2 \3 in namespace \1", text)
    lines = [] if _is_page(answer) else text.strip().splitlines()
    line = lines[0].strip() if lines else str(answer.reason)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."


def _said(error: dict[str, Any]) -> str:
    """The short reason, where there is one, behind the chain of who called whom."""
    for detail in error.get("details") or ():
        short = str(detail.get("message") or "")
        if short and short != HTTPStatus.INTERNAL_SERVER_ERROR.phrase:
            return short
    # Uploads have another form of error.
    return str(error.get("message") or error.get("error_message") or error.get("error") or "")
