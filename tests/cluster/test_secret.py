"""The secret of the steps: what a file may say, and what becomes of the secret."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from cluster.api import connect
from cluster.secret import SECRET_KEYS, STEP_KEYS, Applied, apply_secret, read_env_file
from sub_module.errors import ClusterError, ConfigError
from sub_module.settings import Settings
from tests.servers.kubernetes import Kubernetes
from tests.servers.service_account import FORMS, ServiceAccount

VALUES = {"PLATEFLOW_STORE": "gs://bucket/plateflow", "PLATEFLOW_DATABASE_PASSWORD": "hunter2!"}


def env_file(folder: Path, text: str) -> Path:
    file = folder / "secrets.env"
    file.write_text(text)
    return file


def apply(values: dict[str, str]) -> Applied:
    return apply_secret(connect(Settings()), "plateflow", values)


def held(kubernetes: Kubernetes) -> dict[str, str]:
    data = kubernetes.get("secrets", "plateflow")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def secret(data: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": "plateflow", "labels": {"team": "a"}},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
        **fields,
    }


def test_the_keys_are_what_steps_read() -> None:
    assert set(SECRET_KEYS) - set(STEP_KEYS) == {"PLATEFLOW_SERVE_TOKEN"}
    assert sorted(STEP_KEYS) == [
        "PLATEFLOW_DATABASE_PASSWORD",
        "PLATEFLOW_DATABASE_URL",
        "PLATEFLOW_DATASETS",
        "PLATEFLOW_STORE",
        "client_email",
        "private_key",
        "private_key_id",
        "project_id",
        "token_uri",
        "type",
        "universe_domain",
    ]
    assert all(key == name for key, name in SECRET_KEYS.items())


@pytest.mark.parametrize("form", FORMS)
def test_a_file_gives_what_the_environment_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    account = ServiceAccount("https://oauth.example.com/token").environment(form)
    lines = [f"{name}='{value}'" for name, value in account.items()]
    quoted = "\n".join(["# the store", "", 'export PLATEFLOW_STORE="gs://a/b"', *lines])
    values = read_env_file(env_file(tmp_path, quoted))
    assert values.pop("PLATEFLOW_STORE") == "gs://a/b"
    assert values.keys() == account.keys() & SECRET_KEYS.keys()
    keys = []
    for environment in (values, account):
        monkeypatch.setattr("os.environ", environment)
        key = Settings().service_account.private_key
        assert key is not None
        # A file's own line ends are read as one.
        keys.append(key.get_secret_value().replace("\r", ""))
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ": sets nothing"),
        ("# nothing\n\n", ": sets nothing"),
        ("PLATEFLOW_STORE", ":1: PLATEFLOW_STORE has no value"),
        ("PLATEFLOW_STORE=", ":1: PLATEFLOW_STORE has no value"),
        (
            "PLATEFLOW_STORE=a\nPLATEFLOW_DATABASE_PASWORD=b",
            ":2: PLATEFLOW_DATABASE_PASWORD is not known: did you mean "
            "PLATEFLOW_DATABASE_PASSWORD?",
        ),
        ("HUNTER=a", f":1: HUNTER is not known: known are {' '.join(SECRET_KEYS)}"),
        (
            "PLATEFLOW_KFP_TOKEN=a",
            ":1: PLATEFLOW_KFP_TOKEN is for this machine only, no step on the cluster reads it; "
            "leave it out",
        ),
        ("\nPLATEFLOW_STORE=a\nPLATEFLOW_STORE=b", ":3: PLATEFLOW_STORE stands there twice"),
        ("type=a\nclient_email='b", ":2: is no NAME=value; a value of several lines needs quotes"),
        # A private key without quotes.
        (
            "private_key=-----BEGIN PRIVATE KEY-----\nMIIEvSECRET+/Q==\n-----END",
            f":2: the name is not known: known are {' '.join(SECRET_KEYS)}",
        ),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, error: str) -> None:
    file = env_file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_env_file(file)
    assert str(caught.value) == f"{file}{error}"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none: No such file or directory"):
        read_env_file(tmp_path / "none")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_env_file(tmp_path)
    file = tmp_path / "binary"
    file.write_bytes(b"type=\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_env_file(file)


def test_made_then_kept_then_changed(kubernetes: Kubernetes) -> None:
    first, second = sorted(VALUES)
    assert apply(VALUES) == Applied(True, (first, second), (), ())
    assert held(kubernetes) == VALUES
    made = kubernetes.get("secrets", "plateflow")
    assert made["type"] == "Opaque"
    assert made["metadata"]["labels"]["app.kubernetes.io/name"] == "plateflow"
    assert apply(VALUES) == Applied(False, (), (), ())
    assert kubernetes.get("secrets", "plateflow") == made
    changed = {second: "gs://other", "type": "service_account"}
    assert apply(changed) == Applied(False, (second, "type"), (first,), ())
    assert held(kubernetes) == changed


def test_what_others_put_there_stays(kubernetes: Kubernetes) -> None:
    kubernetes.put(secret({"OTHER": "x", "type": "old", "project_id": "gone"}))
    assert apply({"type": "new"}) == Applied(False, ("type",), ("project_id",), ("OTHER",))
    assert held(kubernetes) == {"OTHER": "x", "type": "new"}
    assert kubernetes.get("secrets", "plateflow")["metadata"]["labels"]["team"] == "a"


@pytest.mark.parametrize("status", [0, 500])
def test_a_lost_answer(kubernetes: Kubernetes, status: int) -> None:
    kubernetes.fail(status, matching="create secrets", acted=True)
    assert apply(VALUES).is_new
    assert held(kubernetes) == VALUES


def test_somebody_else_changes_it_too(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes.put(secret({"type": "old"}))
    pending = [{"OTHER": "x", "type": "old"}, {"OTHER": "y", "type": "old"}]
    replace = kubernetes.answer

    def answer(asked: Any) -> Any:
        if asked.verb == "update" and pending:
            kubernetes.put(secret(pending.pop()))
        return replace(asked)

    monkeypatch.setattr(kubernetes, "answer", answer)
    assert apply({"type": "new"}).kept == ("OTHER",)
    assert held(kubernetes) == {"OTHER": "x", "type": "new"}
    assert [call.status for call in kubernetes.calls if call.verb == "update"] == [409, 409, 200]


def test_what_the_cluster_refuses(kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes.put(secret({"type": "old"}, type="kubernetes.io/dockercfg"))
    with pytest.raises(ClusterError, match=r"of type kubernetes\.io/dockercfg in namespace plate"):
        apply(VALUES)
    kubernetes.put(secret({"type": "old"}, immutable=True))
    with pytest.raises(ClusterError, match=r"422: .*field is immutable when `immutable` is set"):
        apply(VALUES)
    monkeypatch.setenv("PLATEFLOW_NAMESPACE", "nowhere")
    with pytest.raises(ClusterError, match='404: namespaces "nowhere" not found'):
        apply(VALUES)
    monkeypatch.delenv("PLATEFLOW_NAMESPACE")
    kubernetes.remove("secrets", "plateflow")
    with pytest.raises(ClusterError, match=r"422: .*Too long"):
        apply({"private_key": "x" * (1 << 20 | 1)})


def test_a_server_that_repeats_what_it_got(kubernetes: Kubernetes) -> None:
    coded = base64.b64encode(b"hunter2!").decode()
    text = f"denied: hunter2! {coded} gs://bucket/plateflow"
    kubernetes.fail(400, message=text, matching="create secrets")
    with pytest.raises(ClusterError, match="400: denied") as caught:
        apply(VALUES)
    assert "hunter2" not in str(caught.value)
    assert coded not in str(caught.value)
    assert caught.value.__suppress_context__
