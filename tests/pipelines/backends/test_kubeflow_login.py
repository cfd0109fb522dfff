"""Who asks Kubeflow Pipelines: each kind of login, and what happens when it does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines.registry import Package
from sub_module.errors import ClusterError
from tests.pipelines.backends.conftest import Place
from tests.servers.kfp import Dex, Token, needs_swagger, serve_kfp
from tests.servers.kubernetes import Kubernetes
from tests.servers.tls import Authority

pytestmark = needs_swagger

USER, PASSWORD = "person@example.com", "correct horse"
FORM = {"kfp_user": USER, "kfp_password": PASSWORD}


@pytest.fixture
def gate() -> Token:
    return Token("t1")


@pytest.fixture
def guarded(tmp_path: Path, kubernetes: Kubernetes, gate: Token) -> Iterator[Place]:
    """A server that wants the token t1."""
    with serve_kfp(tmp_path, multi_user=True, login=gate) as kfp:
        yield Place(kfp, kubernetes)


@pytest.fixture
def dex() -> Dex:
    return Dex(USER, PASSWORD)


@pytest.fixture
def form(tmp_path: Path, kubernetes: Kubernetes, dex: Dex) -> Iterator[Place]:
    """A server behind oauth2-proxy and Dex."""
    with serve_kfp(tmp_path, multi_user=True, login=dex, prefix="/pipeline") as kfp:
        yield Place(kfp, kubernetes)


def refused(place: Place, **settings: Any) -> str:
    """The one line that says why."""
    with pytest.raises(ClusterError) as caught:
        place.backend(**settings).versions()
    line = str(caught.value)
    assert "\n" not in line
    assert PASSWORD not in line
    assert "t1" not in line
    return line


def test_token(guarded: Place) -> None:
    assert guarded.backend(kfp_token="t1").versions() == []
    assert "PLATEFLOW_KFP_TOKEN" in refused(guarded)
    line = refused(guarded, kfp_token="t2")
    assert "asks for a login: it does not take the token of PLATEFLOW_KFP_TOKEN" in line
    assert "t2" not in line
    assert "holds no token" in refused(guarded, kfp_token="two\nlines")


def test_token_of_a_file_is_read_again(guarded: Place, gate: Token, tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert "No such file" in refused(guarded, kfp_token_file=file)
    file.write_text("")
    assert "holds no token" in refused(guarded, kfp_token_file=file)
    file.write_text("t1\n")
    backend = guarded.backend(kfp_token_file=file)
    assert backend.versions() == []
    gate.valid = {"t3"}
    file.write_text("t3\n")
    assert backend.versions() == []
    gate.valid = set()
    guarded.kfp.requests.clear()
    with pytest.raises(ClusterError, match="does not take the token"):
        backend.versions()
    assert len(guarded.kfp.requests) == 1, "the file holds the same token"


def test_token_of_the_pod(guarded: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("t1")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    assert guarded.backend().versions() == []


class OfAccount(Token):
    """Takes the tokens that the Kubernetes emulator gives the account ci, until they expire."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.expired: set[str] = set()

    def expire(self) -> None:
        self.expired |= self.seen

    def knows(self, headers: Mapping[str, str]) -> bool:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        self.seen.add(token)
        return token.startswith("token-of-ci-") and token not in self.expired


def test_token_of_a_service_account(tmp_path: Path, kubernetes: Kubernetes) -> None:
    gate = OfAccount()
    for name in ("ci", "other"):
        kubernetes.put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    with serve_kfp(tmp_path, multi_user=True, login=gate) as kfp:
        place = Place(kfp, kubernetes)
        assert "nobody" in refused(place, kfp_service_account="nobody")
        line = refused(place, kfp_service_account="other")
        assert "does not take the token of the service account other" in line
        gate.seen.clear()
        backend = place.backend(kfp_service_account="ci")
        assert backend.versions() == []
        assert len(gate.seen) == 1
        gate.expire()
        assert backend.versions() == []
        assert len(gate.seen) == 2, "a token for as long as it holds, then another"


@pytest.mark.parametrize("turns_away", ["redirect", "401", "page"])
def test_form(form: Place, dex: Dex, package: Package, turns_away: Any) -> None:
    dex.turns_away = turns_away
    backend = form.backend(**FORM)
    assert backend.versions() == []
    assert dex.num_logins == 1
    # A session that has expired is renewed once, also before something is created.
    dex.expire()
    backend.upload(package)
    assert (dex.num_logins, len(form.kfp.versions)) == (2, 1)
    assert backend.find("plates", "v1") is not None
    assert dex.num_logins == 2


def test_form_refuses(form: Place, dex: Dex) -> None:
    assert "PLATEFLOW_KFP_USER" in refused(form)
    assert "PLATEFLOW_KFP_PASSWORD is not" in refused(form, kfp_user=USER)
    line = refused(form, kfp_user=USER, kfp_password="wrong")
    assert f"the login refuses {USER} with PLATEFLOW_KFP_PASSWORD" in line
    assert "wrong" not in line
    assert dex.num_logins == 0


def test_session_that_never_holds(form: Place, dex: Dex) -> None:
    backend = form.backend(**FORM)
    dex.knows = lambda headers: False  # type: ignore[method-assign]
    with pytest.raises(ClusterError, match=f"does not take the login of {USER}"):
        backend.versions()
    assert dex.num_logins == 1


def test_no_form_there(guarded: Place) -> None:
    assert "shows no login form of Dex" in refused(guarded, **FORM)


def test_certificates(tmp_path: Path, kubernetes: Kubernetes, dex: Dex) -> None:
    authority = Authority(tmp_path)
    with serve_kfp(tmp_path, multi_user=True, login=dex, tls=authority.server()) as kfp:
        place = Place(kfp, kubernetes)
        line = refused(place, **FORM)
        assert "certificate that does not verify" in line
        assert "PLATEFLOW_KFP_CA" in line
        assert place.backend(kfp_ca=authority.file, **FORM).versions() == []
        assert dex.num_logins == 1
        (tmp_path / "no.pem").write_text("no certificate")
        for file, reason in (("no.pem", "no certificates"), ("none.pem", "No such file")):
            line = refused(place, kfp_ca=tmp_path / file, **FORM)
            assert f"PLATEFLOW_KFP_CA: {tmp_path / file}: {reason}" in line
    with serve_kfp(tmp_path, multi_user=True, tls=authority.server("example.com")) as kfp:
        line = refused(Place(kfp, kubernetes), kfp_ca=authority.file)
        assert "certificate that does not verify" in line
