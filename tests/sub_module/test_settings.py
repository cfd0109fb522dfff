"""Settings come from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sub_module.settings import Settings


def test_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLATEFLOW_HOME", raising=False)
    assert Settings().home == Path(".plateflow")
    monkeypatch.setenv("PLATEFLOW_HOME", "")
    assert Settings().home == Path(".plateflow"), "empty is as good as unset"
    monkeypatch.setenv("PLATEFLOW_HOME", "/elsewhere")
    assert Settings().home == Path("/elsewhere")


def test_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().service_account.private_key is None
    monkeypatch.setenv("private_key", "the key")
    monkeypatch.setenv("client_email", "who@host")
    monkeypatch.setenv("PRIVATE_KEY_ID", "of another program")
    monkeypatch.setenv("PLATEFLOW_PROJECT_ID", "not its name")
    monkeypatch.setenv("token_uri", "")
    account = Settings().service_account
    assert account.private_key
    assert account.private_key.get_secret_value() == "the key"
    assert account.client_email == "who@host"
    assert (account.private_key_id, account.project_id, account.token_uri) == (None, None, None)


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("private_key", "hunter2")
    monkeypatch.setenv("private_key_id", "hunter3")
    monkeypatch.setenv("PLATEFLOW_DATABASE_PASSWORD", "hunter4")
    settings = Settings()
    assert "hunter" not in f"{settings} {settings!r} {settings.model_dump_json()}"


def test_a_token_of_a_file_loses_its_line_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLOW_SERVE_TOKEN", "abc\n")
    token = Settings().serve_token
    assert token is not None
    assert token.get_secret_value() == "abc"
