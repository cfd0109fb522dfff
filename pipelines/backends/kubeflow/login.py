"""Who asks Kubeflow Pipelines: nobody, somebody with a token, or a user with a password."""

from __future__ import annotations

import http.client
import http.cookiejar
import os
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cluster.api import AwayError, connect, last_part
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from sub_module.urls import shown_url

# What Kubeflow Pipelines wants a service account's token to be for.
_AUDIENCE = "pipelines.kubeflow.org"
_TOKEN_SECONDS = 3600
# Where Kubeflow's notebooks have such a token, as its SDK looks for it.
_POD_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"
_TIMEOUT_SECONDS = 20.0
# Dex's pages: the choice of what to log in with, and the form.
_FORM = re.compile(r"/auth(/[^?]+/login)?(\?|$)")


class Login(Protocol):
    """Says who asks.

    Attributes:
        hint: What to look at when that is not enough.
    """

    hint: str

    def headers(self, url: str) -> dict[str, str]:
        """Of a request to `url`."""

    def renew(self, url: str) -> bool:
        """After a request to `url` was refused: whether another can do better."""


class NoLogin:
    """Nobody says who asks."""

    hint = (
        "set PLATEFLOW_KFP_TOKEN, PLATEFLOW_KFP_TOKEN_FILE, PLATEFLOW_KFP_SERVICE_ACCOUNT, or "
        "PLATEFLOW_KFP_USER and PLATEFLOW_KFP_PASSWORD"
    )

    def headers(self, url: str) -> dict[str, str]:
        """None."""
        return {}

    def renew(self, url: str) -> bool:
        """Never."""
        return False


class TokenLogin:
    """A bearer token, fetched when it is first needed, and again when it is refused."""

    def __init__(self, fetch: Callable[[], str], source: str) -> None:
        """Fetch it by a call; `source` is for messages."""
        self._fetch, self._source = fetch, source
        self._token: str | None = None
        self.hint = f"it does not take the token of {source}"

    def headers(self, url: str) -> dict[str, str]:
        """The token.

        Raises:
            ClusterError: There is none.
        """
        if self._token is None:
            self._token = self._checked(self._fetch())
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self, url: str) -> bool:
        """Fetch it again: a file may hold another by now."""
        before, self._token = self._token, self._checked(self._fetch())
        return self._token != before

    def _checked(self, token: str) -> str:
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable():
            raise ClusterError(f"{self._source}: holds no token")
        return token


class ClusterLogin:
    """Whoever the cluster's Kubernetes API takes one for, whose proxy passes requests on."""

    hint = "the Kubernetes API refuses the login of your kubeconfig"

    def __init__(self, configuration: Any) -> None:
        """As a `kubernetes` Configuration says."""
        self._configuration = configuration

    def headers(self, url: str) -> dict[str, str]:
        """Those that kubectl would send."""
        found = self._configuration.auth_settings().values()
        return {one["key"]: one["value"] for one in found if one["in"] == "header"}

    def renew(self, url: str) -> bool:
        """Never: the configuration looks after that."""
        return False


class FormLogin:
    """A user and a password in the form of Dex, and the cookie that it answers with."""

    def __init__(self, user: str, password: str, tls: ssl.SSLContext) -> None:
        """Nothing is asked yet; `tls` knows the certificates that are trusted."""
        self._form = urllib.parse.urlencode({"login": user, "password": password}).encode()
        self._user = user
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self._cookies),
            urllib.request.HTTPSHandler(context=tls),
        )
        self.hint = f"it does not take the login of {user}"

    def headers(self, url: str) -> dict[str, str]:
        """The session's cookie."""
        request = urllib.request.Request(url)
        self._cookies.add_cookie_header(request)
        cookie = request.get_header("Cookie")
        return {"Cookie": cookie} if cookie else {}

    def renew(self, url: str) -> bool:
        """Log in: find the form, fill it in, keep the cookie.

        Raises:
            ClusterError: There is no form, or the user is refused.
        """
        self._cookies.clear()
        form = self._form_page(url)
        # A password goes where the host of the settings sends it, but not from TLS to plain text.
        if url.startswith("https:") and not form.startswith("https:"):
            raise ClusterError(f"{_host(url)}: its login form is at {_host(form)}, without TLS")
        page, status = self._open(form, self._form)
        if urllib.parse.urlsplit(page).path.endswith("/approval"):
            page, status = self._open(page, b"approval=approve")
        if page == form or status == 401:
            raise ClusterError(
                f"{_host(url)}: the login refuses {self._user} with PLATEFLOW_KFP_PASSWORD", 401
            )
        return bool(self.headers(url))

    def _form_page(self, url: str) -> str:
        """The form's URL: where the redirects from a page end that needs a login."""
        page = self._open(url)[0]
        if not _FORM.search(page):
            # oauth2-proxy may ask first whether to log in, or say no to programs; this says yes.
            back = urllib.parse.urlencode({"rd": urllib.parse.urlsplit(url).path})
            page = self._open(_with_path(url, "/oauth2/start", back))[0]
        if urllib.parse.urlsplit(page).path.endswith("/auth"):
            # Dex asks with what to log in: with its own list of users.
            local = f"{urllib.parse.urlsplit(page).path}/local"
            page = self._open(_with_path(page, local))[0]
        if not _FORM.search(page):
            raise ClusterError(
                f"{_host(url)}: shows no login form of Dex; PLATEFLOW_KFP_USER counts where there "
                "is one"
            )
        return page

    def _open(self, url: str, data: bytes | None = None) -> tuple[str, int]:
        """Where the redirects of a page end, and its status."""
        request = urllib.request.Request(url, data, {"Accept": "text/html"})
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                answer.read()
                return str(answer.geturl()), int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return str(error.geturl()), error.code
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            raise AwayError(
                f"{_host(url)}: the login cannot be reached: {last_part(error)}", acted=False
            ) from error


def login_of(settings: Settings, tls: ssl.SSLContext) -> Login:
    """The login that the settings name, the first that is set.

    Raises:
        ClusterError: A user without a password.
    """
    if settings.kfp_token:
        return TokenLogin(settings.kfp_token.get_secret_value, "PLATEFLOW_KFP_TOKEN")
    if settings.kfp_token_file:
        return _of_file(settings.kfp_token_file, "PLATEFLOW_KFP_TOKEN_FILE")
    if account := settings.kfp_service_account:
        return TokenLogin(
            lambda: _token_of_account(settings, account), f"the service account {account}"
        )
    if settings.kfp_user:
        if settings.kfp_password is None:
            raise ClusterError("PLATEFLOW_KFP_USER is set, but PLATEFLOW_KFP_PASSWORD is not")
        return FormLogin(settings.kfp_user, settings.kfp_password.get_secret_value(), tls)
    of_pod = Path(os.environ.get("KF_PIPELINES_SA_TOKEN_PATH") or _POD_TOKEN)
    return _of_file(of_pod, "this pod") if of_pod.is_file() else NoLogin()


def _of_file(file: Path, source: str) -> TokenLogin:
    def read() -> str:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise ClusterError(f"{source}: {file}: {reason}") from error

    return TokenLogin(read, f"{source} ({file})")


def _token_of_account(settings: Settings, account: str) -> str:
    api = connect(settings)
    answer = api.call(
        f"token of the service account {account}",
        api.core.create_namespaced_service_account_token,
        account,
        api.namespace,
        {"spec": {"audiences": [_AUDIENCE], "expirationSeconds": _TOKEN_SECONDS}},
    )
    return str(answer.status.token)


def _with_path(url: str, path: str, query: str | None = None) -> str:
    parts = urllib.parse.urlsplit(url)
    changed = parts._replace(path=path, query=parts.query if query is None else query)
    return urllib.parse.urlunsplit(changed)


def _host(url: str) -> str:
    """For messages: without the query, which holds what only the two servers need to know."""
    parts = urllib.parse.urlsplit(url)
    return shown_url(f"{parts.scheme}://{parts.netloc}")
