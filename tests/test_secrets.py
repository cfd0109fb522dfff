"""`secrets` says what works and what was set, and nothing that is secret; nor does a run."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cluster.secret import STEP_KEYS
from commands.secrets import app
from dataset_tools.catalog import open_catalog
from dataset_tools.versions import DataSets
from katib.experiment import render
from pipeline_utils import app as plateflow
from pipelines.backends.local import LocalBackend
from sub_module.errors import CatalogError, ConfigError, DataError, PlateflowError
from sub_module.settings import Settings
from tests.pipelines.tiny import tiny_package
from tests.servers.gcs import Gcs
from tests.servers.kfp import KfpServer, Play, needs_swagger, serve_kfp
from tests.servers.kubernetes import Kubernetes
from tests.servers.mariadb import MariaDB
from tests.servers.service_account import FORMS, ServiceAccount

_PASSWORD = "h%40nter2/:wordpass"


class Checked(NamedTuple):
    """What the command printed: each connection's line, everything, and the error."""

    lines: dict[str, str]
    output: str
    error: str | None


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DATABASE_URL", "DATABASE_PASSWORD", "STORE", "DATASETS"):
        monkeypatch.delenv(f"PLATEFLOW_{name}", raising=False)
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))


def _check() -> Checked:
    done = CliRunner().invoke(app, ["check"])
    if done.exception is not None:
        # The entry point prints it as one line and exits with code 2.
        assert isinstance(done.exception, ConfigError), done.exception
    lines = {
        name: line
        for line in done.output.splitlines()
        for name in ("database", "store", "data set repository", "Google credentials")
        if line.startswith(f"{name} ")
    }
    error = str(done.exception) if done.exception else None
    return Checked(lines, f"{done.output}{error or ''}", error)


def _words(line: str) -> list[str]:
    return [word for word in line.split("  ") if word]


def test_the_embedded_default() -> None:
    checked = _check()
    assert checked.error is None
    assert {name: "".join(_words(line)[3]).strip() for name, line in checked.lines.items()} == {
        "database": "yes",
        "store": "yes",
        "data set repository": "yes",
        "Google credentials": "-",
    }
    assert all("not set" in line for line in checked.lines.values())


@pytest.mark.parametrize("form", FORMS)
def test_a_private_bucket(monkeypatch: pytest.MonkeyPatch, gcs: Gcs, form: str) -> None:
    account = ServiceAccount(gcs.token_uri)
    gcs.admit_only(account)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    monkeypatch.setenv("PLATEFLOW_STORE", gcs.store)
    for name, value in account.environment(form).items():
        monkeypatch.setenv(name, value)
    checked = _check()
    assert checked.error is None, checked.output
    assert gcs.store in checked.lines["store"]
    assert account.fields["client_email"] in checked.lines["Google credentials"]
    assert "a token was given" in checked.lines["Google credentials"]
    assert _words(checked.lines["Google credentials"])[1].split() == [
        "private_key",
        "client_email",
        "private_key_id",
        "project_id",
        "token_uri",
        "universe_domain",
    ]
    assert not [secret for secret in account.secret_lines() if secret in checked.output]


@pytest.mark.parametrize("key", ["other", "broken", "echoed"])
def test_a_key_that_does_not_work(monkeypatch: pytest.MonkeyPatch, gcs: Gcs, key: str) -> None:
    account = ServiceAccount(gcs.token_uri)
    gcs.admit_only(ServiceAccount(gcs.token_uri) if key == "other" else account)
    environment = account.environment("escaped")
    if key == "broken":
        environment["private_key"] = account.private_key[:900]
    if key == "echoed":
        # A server that says too much.
        answer = {"error": "no", "error_description": f"{account.private_key} {account.fields}"}
        status = (400, json.dumps(answer).encode(), {})
        monkeypatch.setattr(gcs, "_token", lambda body: status)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    monkeypatch.setenv("PLATEFLOW_STORE", gcs.store)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    checked = _check()
    assert checked.error == "store, Google credentials: does not work"
    assert _words(checked.lines["store"])[3].strip() == "NO"
    assert not [secret for secret in account.secret_lines() if secret in checked.output]
    assert not [part for line in account.secret_lines() if (part := line[:16]) in checked.output]


def test_credentials_that_nothing_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    checked = _check()
    assert checked.error is None
    assert "not tried: the store is not gs://" in checked.lines["Google credentials"]


def test_a_database(monkeypatch: pytest.MonkeyPatch, mariadb: MariaDB) -> None:
    monkeypatch.setenv("PLATEFLOW_DATABASE_URL", mariadb.new_url())
    checked = _check()
    assert checked.error is None, checked.output
    assert "MariaDB" in checked.lines["database"]


@pytest.mark.parametrize("where", ["in the URL", "in its own variable"])
def test_a_password_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, mariadb: MariaDB, where: str
) -> None:
    url = mariadb.url("plateflow", with_password=False)
    scheme, _, rest = url.partition("://")
    host = rest.rpartition("@")[2]
    password = ""
    if where == "in the URL":
        password = f":{_PASSWORD.replace('/', '%2F').replace(':', '%3A')}"
    else:
        monkeypatch.setenv("PLATEFLOW_DATABASE_PASSWORD", _PASSWORD)
    monkeypatch.setenv("PLATEFLOW_DATABASE_URL", f"{scheme}://plateflow{password}@{host}")
    checked = _check()
    assert checked.error == "database: does not work"
    for part in ("h%40nter2", "h@nter2", "wordpass"):
        assert part not in checked.output
    assert host in checked.lines["database"]


def test_repositories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    monkeypatch.setenv("PLATEFLOW_DATASETS", str(origin))
    checked = _check()
    assert checked.error is None
    assert "0 versions" in checked.lines["data set repository"]
    for url in (
        "https://ghp_token123456@127.0.0.1:9/team/sets.git",
        f"https://somebody:{_PASSWORD}@127.0.0.1:9/team/sets.git",
        "ssh://git@127.0.0.1:9/sets.git",
    ):
        monkeypatch.setenv("PLATEFLOW_DATASETS", url)
        checked = _check()
        assert checked.error == "data set repository: does not work"
        for part in ("ghp_token123456", "h%40nter2", "h@nter2", "wordpass"):
            assert part not in checked.output
        assert "127.0.0.1" in checked.lines["data set repository"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("{scheme}://plateflow:raw@SECRET/pw@{host}", "{scheme}://plateflow:***@{host}"),
        ("{scheme}://plateflow:raw/pw@SECRET@{host}", "{scheme}://plateflow:***@{host}"),
        ("{scheme}://plate/flow:SECRET@{host}", "{scheme}://plate:***@{host}"),
    ],
)
def test_a_database_password_that_is_not_encoded(
    monkeypatch: pytest.MonkeyPatch, mariadb: MariaDB, url: str, shown: str
) -> None:
    scheme, _, rest = mariadb.url("plateflow", with_password=False).partition("://")
    host = rest.rpartition("@")[2]
    monkeypatch.setenv("PLATEFLOW_DATABASE_URL", url.format(scheme=scheme, host=host))
    checked = _check()
    assert checked.error == "database: does not work"
    assert _words(checked.lines["database"])[2].strip() == shown.format(scheme=scheme, host=host)
    assert "PLATEFLOW_DATABASE_URL: has an @ too many; write @ as %40" in checked.output
    assert not [part for part in ("SECRET", "raw", "/pw@") if part in checked.output]
    with pytest.raises(CatalogError) as raised:
        open_catalog(Settings())
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://bob:tok/SECRET@127.0.0.1:9/x.git",
        "https://bob:tok@SECRET@127.0.0.1:9/x.git",
        "https://bob:tok@SECRET/token@127.0.0.1:9/x.git",
        "https://bob:tok#SECRET@127.0.0.1:9/x.git",
        "http://bob:tok'SEC RET@127.0.0.1:9/x.git",
        "ssh://bob:tok/SECRET@127.0.0.1:9/x.git",
    ],
)
def test_a_token_that_is_not_encoded(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PLATEFLOW_DATASETS", url)
    checked = _check()
    assert checked.error == "data set repository: does not work"
    assert not [part for part in ("SEC", "RET", "tok") if part in checked.output]
    assert "***@127.0.0.1:9/x.git" in checked.lines["data set repository"]
    with pytest.raises(DataError) as raised:
        DataSets(Settings()).listed()
    assert not [part for part in ("SEC", "RET", "tok") if part in str(raised.value)]


def test_a_bucket_with_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("gs://bob:SECRET@bucket/a", "file://bob:SECRET@host/a"):
        monkeypatch.setenv("PLATEFLOW_STORE", url)
        checked = _check()
        assert "SECRET" not in checked.output
        assert checked.error
        assert checked.error.startswith("store")


def test_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLOW_STORE", "s3://user:hunter2@host/bucket")
    done = subprocess.run(
        [sys.executable, "pipeline_utils.py", "secrets", "check"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "error: store: does not work\n"
    assert "s3:// is unknown" in done.stdout
    assert "hunter2" not in done.stdout


# A value for whatever is secret, here and in the cluster; none of them may be seen anywhere.
PLANTED = {
    "PLATEFLOW_DATABASE_PASSWORD": "planted-password",
    "PLATEFLOW_DATABASE_URL": "mysql+pymysql://user:planted-in-url@127.0.0.1:9/plateflow",
    "PLATEFLOW_DATASETS": "https://user:planted-token@127.0.0.1:9/sets.git",
    "private_key": "-----BEGIN PRIVATE KEY-----planted-key",
    "private_key_id": "planted-key-id",
}


def _env_file(folder: Path, **changes: str) -> Path:
    file = folder / "secrets.env"
    values = {**PLANTED, **changes}
    file.write_text("".join(f'{name}="{value}"\n' for name, value in values.items()))
    return file


def _apply(folder: Path, *options: str, **changes: str) -> str:
    arguments = ["apply", "--from-env-file", str(_env_file(folder, **changes)), *options]
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None:
        raise done.exception
    assert "planted" not in done.output
    return done.output


def test_apply(kubernetes: Kubernetes, tmp_path: Path) -> None:
    said = _apply(tmp_path)
    assert "private_key: set\n" in said
    assert "secret plateflow in namespace plateflow: created\n" in said
    data = kubernetes.get("secrets", "plateflow")["data"]
    assert {key: base64.b64decode(value).decode() for key, value in data.items()} == PLANTED
    assert _apply(tmp_path) == "secret plateflow in namespace plateflow: unchanged\n"
    said = _apply(tmp_path, private_key_id="planted-anew", type="service_account")
    assert said.splitlines() == [
        "private_key_id: set",
        "type: set",
        "secret plateflow in namespace plateflow: updated",
    ]
    said = _apply(tmp_path)
    assert said.startswith("private_key_id: set\ntype: taken away, the file does not have it\n")


def test_apply_of_what_cannot_be_used(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="PLATEFLOW_PASSWORD is not known"):
        _apply(tmp_path, PLATEFLOW_PASSWORD="planted")
    for status in (401, 403, 500):
        kubernetes.fail(status, times=9, message="planted-password is in the answer")
        with pytest.raises(PlateflowError, match=rf"says {status}: ") as caught:
            _apply(tmp_path)
        assert "planted" not in str(caught.value)
        kubernetes.faults.clear()
    assert kubernetes.objects("secrets") == []


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that holds all of them."""
    here = {"PLATEFLOW_KFP_TOKEN": "planted-kfp-token", "PLATEFLOW_KFP_PASSWORD": "planted-kfp"}
    for name, value in {**PLANTED, **here}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def kfp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kubernetes: Kubernetes
) -> Iterator[KfpServer]:
    with serve_kfp(tmp_path) as server:
        monkeypatch.setenv("PLATEFLOW_KFP_HOST", server.url)
        # The only namespace of a server of one user.
        monkeypatch.setenv("PLATEFLOW_NAMESPACE", "kubeflow")
        yield server


@needs_swagger
def test_no_secret_in_what_a_cluster_is_sent(
    planted: None, kfp: KfpServer, kubernetes: Kubernetes, tmp_path: Path
) -> None:
    _apply(tmp_path)
    kfp.play = Play(moves=50)
    arguments = ["upload-and-run", "--backend", "kubeflow", "--set", "train.max_epochs=1"]
    done = CliRunner().invoke(plateflow, arguments)
    assert done.exit_code == 0, done.output
    assert kfp.asked("POST", "/runs"), "nothing was run"
    assert "planted" not in done.output
    sent = [
        (asked.method, asked.path, str(asked.query), _text(asked.body)) for asked in kfp.requests
    ]
    assert any("secretKeyRef" in row[3] or "secretAsEnv" in row[3] for row in sent)
    assert all(key in str(sent) for key in STEP_KEYS)
    kubernetes.remove("secrets", "plateflow", "kubeflow")
    kept = [kubernetes.objects(kind) for kind in ("persistentvolumeclaims", "secrets")]
    for text in ("planted", base64.b64encode(b"planted-password").decode()):
        assert text not in str(sent)
        assert text not in str(kept)


def _text(body: object) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)


def test_no_secret_in_a_compiled_search(planted: None) -> None:
    text = render("tune_platenet")
    assert "secretRef" in text
    assert "planted" not in text


def test_no_secret_in_what_a_run_leaves(planted: None, tmp_path: Path) -> None:
    shown = io.StringIO()
    backend = LocalBackend(tmp_path, Console(file=shown, width=200))
    backend.upload(tiny_package())
    record = backend.wait(backend.run("tiny", "v1", {"first.does": "crash"}).name)
    assert record.state == "failed"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert "pipeline.log" in {file.name for file in files}
    for text in (shown.getvalue(), *(file.read_text(errors="replace") for file in files)):
        assert "planted" not in text
