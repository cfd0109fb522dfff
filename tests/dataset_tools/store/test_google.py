"""A private bucket: a service account's real key, signature and token, in all the ways it comes."""

from __future__ import annotations

import configparser
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_tools.store import open_store
from dataset_tools.store.google import (
    credentials_file,
    credentials_source,
    dvc_remote,
    quiet_gcsfs,
    service_account,
)
from sub_module.errors import StoreError
from sub_module.settings import Settings
from tests.dataset_tools.store.places import fill, no_more_than, tree, write
from tests.servers.gcs import Gcs
from tests.servers.service_account import FORMS, ServiceAccount


@pytest.fixture
def account(gcs: Gcs) -> ServiceAccount:
    """A service account; the bucket lets in nobody else."""
    account = ServiceAccount(gcs.token_uri)
    gcs.admit_only(account)
    return account


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("form", FORMS)
def test_the_private_key_in_every_form(
    monkeypatch: pytest.MonkeyPatch, gcs: Gcs, account: ServiceAccount, form: str
) -> None:
    _set(monkeypatch, account.environment(form))
    found = service_account(Settings())
    assert found == {key: account.fields[key] for key in found or ()}
    assert found
    assert found["private_key"] == account.private_key


def test_no_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    assert service_account(Settings()) is None
    # Of other programs.
    _set(monkeypatch, {"PRIVATE_KEY": "x", "TYPE": "y", "type": "z", "project_id": "p"})
    assert service_account(Settings()) is None


@pytest.mark.parametrize(
    ("left_out", "other"), [("private_key", "client_email"), ("client_email", "private_key")]
)
def test_half_a_service_account(
    monkeypatch: pytest.MonkeyPatch,
    account: ServiceAccount,
    left_out: str,
    other: str,
) -> None:
    environment = account.environment("real")
    del environment[left_out]
    _set(monkeypatch, environment)
    with pytest.raises(StoreError) as raised:
        service_account(Settings())
    assert str(raised.value) == (
        f"service account: {left_out} is not set in the environment, but {other} is"
    )


def test_what_google_fills_in(monkeypatch: pytest.MonkeyPatch, account: ServiceAccount) -> None:
    fields = account.fields
    _set(monkeypatch, {key: fields[key] for key in ("private_key", "client_email")})
    found = service_account(Settings())
    assert found
    assert found["token_uri"] == "https://oauth2.googleapis.com/token"
    assert found["type"] == "service_account"


@pytest.mark.parametrize("kind", ["authorized_user", '"external_account"'])
def test_another_kind_of_key(
    monkeypatch: pytest.MonkeyPatch, account: ServiceAccount, kind: str
) -> None:
    _set(monkeypatch, {"type": kind, "client_id": "x", "refresh_token": "y"})
    assert service_account(Settings()) is None
    _set(monkeypatch, {**account.environment("real"), "type": kind})
    with pytest.raises(StoreError) as raised:
        service_account(Settings())
    bare = kind.strip('"')
    assert str(raised.value) == (
        f"service account: the environment's type is {bare}, which cannot be used; "
        "give the fields of a service_account"
    )


def test_a_type_of_another_program(
    monkeypatch: pytest.MonkeyPatch, gcs: Gcs, account: ServiceAccount
) -> None:
    _set(monkeypatch, {**account.environment("escaped"), "type": "worker"})
    found = service_account(Settings())
    assert found
    assert found["type"] == "service_account"
    open_store(Settings(store=gcs.store)).check()
    assert "type" not in credentials_source(Settings())[0].split()


@pytest.mark.parametrize("form", FORMS)
def test_a_private_bucket(
    monkeypatch: pytest.MonkeyPatch, gcs: Gcs, account: ServiceAccount, tmp_path: Path, form: str
) -> None:
    source = fill(tmp_path / "source", 2)
    with no_more_than(10), pytest.raises(StoreError, match="wants credentials, and none are set"):
        open_store(Settings(store=gcs.store)).put(source, "set")
    assert gcs.num_tokens == 0
    _set(monkeypatch, account.environment(form))
    store = open_store(Settings(store=gcs.store))
    store.check()
    store.put(source, "set")
    store.get("set", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(source)
    assert gcs.num_tokens >= 1


def test_another_key(
    monkeypatch: pytest.MonkeyPatch,
    gcs: Gcs,
    account: ServiceAccount,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = ServiceAccount(gcs.token_uri)
    _set(monkeypatch, other.environment("escaped"))
    with no_more_than(10), pytest.raises(StoreError) as raised:
        open_store(Settings(store=gcs.store)).check()
    email = account.fields["client_email"]
    assert str(raised.value) == (
        f"Google gives no token to {email}: invalid_grant: Invalid JWT Signature."
    )
    assert gcs.asked == []
    said = "".join([*capfd.readouterr(), caplog.text, str(raised.value)])
    assert not [secret for secret in other.secret_lines() if secret in said]


@pytest.mark.parametrize("part", [0, 0.5, 0.98])
def test_a_broken_key(
    monkeypatch: pytest.MonkeyPatch, account: ServiceAccount, part: float
) -> None:
    key = account.private_key
    broken = key[: int(part * len(key))] or "hunter2hunter2"
    _set(monkeypatch, {**account.environment("real"), "private_key": broken})
    with pytest.raises(StoreError) as raised:
        open_store(Settings(store="gs://bucket")).check()
    assert str(raised.value) == (
        "service account: the environment's private_key is no whole RSA key in PEM"
    )
    assert raised.value.__cause__ is None


def test_a_token_that_the_bucket_refuses(
    monkeypatch: pytest.MonkeyPatch, gcs: Gcs, account: ServiceAccount
) -> None:
    _set(monkeypatch, account.environment("real"))
    gcs.fail(401)
    with no_more_than(10), pytest.raises(StoreError) as raised:
        open_store(Settings(store=gcs.store)).check()
    assert str(raised.value) == (
        f"{gcs.store}: the server refuses the credentials (401: Invalid Credentials)"
    )


def test_no_token_endpoint(monkeypatch: pytest.MonkeyPatch, account: ServiceAccount) -> None:
    _set(monkeypatch, {**account.environment("real"), "token_uri": "http://127.0.0.1:9/token"})
    with no_more_than(10), pytest.raises(StoreError, match="Google cannot be asked for a token"):
        open_store(Settings(store="gs://bucket")).check()


def test_application_credentials(
    monkeypatch: pytest.MonkeyPatch, gcs: Gcs, account: ServiceAccount, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    write(file, json.dumps(account.fields).encode())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    settings = Settings(store=gcs.store)
    open_store(settings).check()
    assert gcs.num_tokens == 1
    assert "allow_anonymous_login" not in dvc_remote(settings)
    write(file, b"{}")
    with pytest.raises(StoreError) as raised:
        open_store(settings).check()
    assert str(raised.value) == (
        f"GOOGLE_APPLICATION_CREDENTIALS: {file} is no credentials file that can be used"
    )


@pytest.mark.parametrize("indent", [None, 1])
def test_the_key_itself_where_its_file_belongs(
    monkeypatch: pytest.MonkeyPatch, account: ServiceAccount, indent: int | None
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", json.dumps(account.fields, indent=indent))
    settings = Settings(store="gs://bucket")
    with pytest.raises(StoreError, match="is no credentials file that can be used") as raised:
        open_store(settings).check()
    said = f"{raised.value} {credentials_source(settings)}"
    assert "PRIVATE" not in said
    assert not [secret for secret in account.secret_lines() if secret in said]


def test_workload_identity_of_another_cloud_that_is_refused(
    monkeypatch: pytest.MonkeyPatch, gcs: Gcs, account: ServiceAccount, tmp_path: Path
) -> None:
    write(tmp_path / "subject", b"a-token-of-the-other-cloud")
    file = tmp_path / "federation.json"
    federation = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{gcs.url}/token",
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    write(file, json.dumps(federation).encode())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with no_more_than(10), pytest.raises(StoreError) as raised:
        open_store(Settings(store=gcs.store)).check()
    assert str(raised.value).startswith(f"Google gives no token to {file}: ")
    assert "a-token-of-the-other-cloud" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_workload_identity(gcs: Gcs, account: ServiceAccount, tmp_path: Path) -> None:
    # google-auth looks at these when it is imported, so another process has to.
    environment = {
        **os.environ,
        "GCE_METADATA_HOST": gcs.host,
        "GCE_METADATA_IP": gcs.host,
        "CLOUDSDK_CONFIG": str(tmp_path),
        "PLATEFLOW_STORE": gcs.store,
        "PYTHONPATH": ".",
    }
    code = (
        "from dataset_tools.store import open_store\nfrom sub_module.settings import Settings\n"
        "open_store(Settings()).check()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment,
        cwd=Path(__file__).parents[3], check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert gcs.num_tokens >= 1
    assert len(gcs.asked) == 4
    assert {asked.status for asked in gcs.asked} == {200}


def test_the_credentials_file(
    monkeypatch: pytest.MonkeyPatch, account: ServiceAccount, tmp_path: Path
) -> None:
    with credentials_file(Settings(), tmp_path) as nothing:
        assert nothing is None
    _set(monkeypatch, account.environment("escaped"))
    with credentials_file(Settings(), tmp_path / "new") as file:
        assert file
        assert json.loads(file.read_text()) == service_account(Settings())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.is_absolute()
    assert list((tmp_path / "new").iterdir()) == []


def test_nothing_secret_is_shown(monkeypatch: pytest.MonkeyPatch, account: ServiceAccount) -> None:
    _set(monkeypatch, account.environment("real"))
    settings = Settings()
    said = f"{settings!r} {settings.model_dump_json()} {credentials_source(settings)}"
    assert not [secret for secret in account.secret_lines() if secret in said]
    assert account.fields["client_email"] in said


def test_the_remote_of_dvc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    here = Settings(home=tmp_path / "home #1")
    assert dvc_remote(here) == {"url": f"{tmp_path}/home #1/store/dvc"}
    there = Settings(store="gs://bucket/a/")
    assert dvc_remote(there) == {"url": "gs://bucket/a/dvc"}
    assert dvc_remote(there, "other", Path("/key")) == {
        "url": "gs://bucket/a/other",
        "credentialpath": "/key",
    }
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "localhost:9")
    assert dvc_remote(there) == {
        "url": "gs://bucket/a/dvc",
        "endpointurl": "http://localhost:9",
        "allow_anonymous_login": "true",
    }


# Several commands in one process, which takes a second to begin.
_DVC = (
    "import sys; from dvc.cli import main\n"
    "sys.exit(next(filter(None, (main(line.split(' ')) for line in sys.argv[1:])), 0))"
)


def _dvc(folder: Path, *commands: str) -> None:
    quiet_gcsfs()
    done = subprocess.run(
        [sys.executable, "-c", _DVC, *commands],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DVC_SITE_CACHE_DIR": str(folder / "site")},
    )
    assert done.returncode == 0, done.stderr[-2000:]


def _configure(folder: Path, settings: Settings, credentials: Path | None) -> None:
    config = configparser.ConfigParser()
    config["core"] = {"no_scm": "true", "remote": "store", "analytics": "false"}
    config["'remote \"store\"'"] = dvc_remote(settings, credentials=credentials)
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    with (folder / ".dvc" / "config").open("w") as file:
        config.write(file)


def test_dvc_in_a_private_bucket(
    monkeypatch: pytest.MonkeyPatch, gcs: Gcs, account: ServiceAccount, tmp_path: Path
) -> None:
    settings = Settings(store=gcs.store)
    one, other = tmp_path / "one", tmp_path / "other"
    source = fill(one / "번호판_set", 3)
    _set(monkeypatch, account.environment("real"))
    with credentials_file(Settings(), tmp_path / "keys") as file:
        _configure(one, settings, file)
        _dvc(one, f"add -q {source.name}", "push -q")
    assert gcs.num_tokens
    assert len(gcs.generations(gcs.bucket, "plateflow/dvc/files/md5/")) == 4
    gcs.num_tokens = 0
    _set(monkeypatch, account.environment("escaped"))
    with credentials_file(Settings(), tmp_path / "keys") as file:
        _configure(other, settings, file)
        write(other / "set.dvc", (one / f"{source.name}.dvc").read_bytes())
        _dvc(other, "pull -q set.dvc")
    assert tree(other / source.name) == tree(source)
    assert gcs.num_tokens
