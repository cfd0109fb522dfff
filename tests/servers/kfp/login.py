"""What stands before the server: nothing, a check of bearer tokens, or oauth2-proxy and Dex."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Literal, Protocol
from urllib.parse import parse_qs, quote, urlencode

from tests.servers.kfp.answers import Answer, RefusedError, as_json, as_page

_COOKIE = "oauth2_proxy_kubeflow"


class Gate(Protocol):
    """Who is let in."""

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether somebody asks who may; header names are in lower case."""

    def turn_away(self, target: str) -> Answer:
        """What a request for `target` gets that nobody known has made."""

    def page(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer | None:
        """The gate's own pages; None: it is none of them."""


class Token:
    """Bearer tokens, such as those of service accounts.

    Attributes:
        valid: Those that are good now; take one away, and it has expired.
    """

    def __init__(self, *tokens: str) -> None:
        self.valid = set(tokens)

    def knows(self, headers: Mapping[str, str]) -> bool:
        """See `Gate`."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and token in self.valid

    def turn_away(self, target: str) -> Answer:
        """See `Gate`."""
        reason = "Failed to check authorization. User identity is empty in the request header"
        refusal = RefusedError("Unauthenticated", f"Unauthenticated: {reason}", reason)
        return as_json(refusal.status, refusal.body())

    def page(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer | None:
        """See `Gate`."""
        return None


class Dex:
    """A session cookie of oauth2-proxy, got with a user and a password at Dex's form.

    Attributes:
        num_logins: How often somebody has got a session.
        turns_away: How who has no session is told: by a redirect to the login, by 401 without
            JSON, or by the login page itself, 200 and HTML.
    """

    def __init__(
        self,
        user: str,
        password: str,
        turns_away: Literal["redirect", "401", "page"] = "redirect",
    ) -> None:
        self._user = user
        self._password = password
        self.turns_away = turns_away
        self.num_logins = 0
        self._sessions: set[str] = set()
        # Of a login under way: what was asked for at first.
        self._states: dict[str, str] = {}
        self._codes: dict[str, str] = {}

    def expire(self) -> None:
        """End all sessions."""
        self._sessions.clear()

    def knows(self, headers: Mapping[str, str]) -> bool:
        """See `Gate`."""
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == _COOKIE and value in self._sessions:
                return True
        return False

    def turn_away(self, target: str) -> Answer:
        """See `Gate`."""
        if self.turns_away == "401":
            return as_json(401, {})
        if self.turns_away == "page":
            return as_page(
                200, f'<html><a href="/oauth2/start?rd={quote(target)}">Sign in</a></html>'
            )
        return _go(302, f"/oauth2/start?rd={quote(target, safe='')}")

    def page(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer | None:
        """See `Gate`."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        match method, path:
            case "GET", "/oauth2/start":
                state = secrets.token_hex(8)
                self._states[state] = asked.get("rd", "/")
                # Dex sends its own state on through the form.
                to = {"client_id": "kubeflow-oidc-authservice", "state": state}
                return _go(302, f"/dex/auth?{urlencode(to)}")
            case "GET", "/dex/auth":
                return _go(302, f"/dex/auth/local?{query}")
            case "GET", "/dex/auth/local":
                return _go(
                    302, f"/dex/auth/local/login?back=&{urlencode({'state': asked['state']})}"
                )
            case "GET", "/dex/auth/local/login":
                return self._form(query, "") if asked.get("state") in self._states else _lost()
            case "POST", "/dex/auth/local/login":
                return self._check(query, asked.get("state", ""), body)
            case "GET", "/dex/approval":
                code = secrets.token_hex(8)
                self._codes[code] = asked["req"]
                to = {"code": code, "state": asked["req"]}
                return _go(303, f"/oauth2/callback?{urlencode(to)}")
            case "GET", "/oauth2/callback":
                return self._callback(asked)
        return None

    def _form(self, query: str, error: str) -> Answer:
        # As Dex's own: the form's action is relative to the host and carries the state.
        action = f"/dex/auth/local/login?{query}".replace("&", "&amp;")
        return as_page(
            200,
            f"""<!DOCTYPE html><html><body><h2>Log in to Your Account</h2>
            <form method="post" action="{action}">
            <input tabindex="1" required id="login" name="login" type="text"/>
            <input tabindex="2" required id="password" name="password" type="password"/>
            {error}<button tabindex="3" id="submit-login" type="submit">Login</button>
            </form></body></html>""",
        )

    def _check(self, query: str, state: str, body: bytes) -> Answer:
        if state not in self._states:
            return _lost()
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if (given.get("login"), given.get("password")) != (self._user, self._password):
            error = '<div id="login-error">Invalid Email Address and password.</div>'
            return self._form(query, error)
        return _go(303, f"/dex/approval?{urlencode({'req': state, 'hmac': 'x'})}")

    def _callback(self, asked: Mapping[str, str]) -> Answer:
        state = self._codes.pop(asked.get("code", ""), None)
        if state is None or state != asked.get("state"):
            return as_page(403, "<html>Login Failed: invalid code</html>")
        session = secrets.token_urlsafe(16)
        self._sessions.add(session)
        self.num_logins += 1
        cookie = f"{_COOKIE}={session}; Path=/; HttpOnly"
        return _go(302, self._states.pop(state), {"Set-Cookie": cookie})


def _go(status: int, where: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, b"", {"Location": where, **(headers or {})})


def _lost() -> Answer:
    return as_page(400, "<html>Bad Request: User session error.</html>")
