"""No password or token of a URL is in what is shown."""

from __future__ import annotations

import pytest

from sub_module.urls import shown_url, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql+pymysql://plateflow:pw@host:1/db", "mysql+pymysql://plateflow:***@host:1/db"),
        (
            "mysql+pymysql://plateflow:raw@SECRET/pw@host/db",
            "mysql+pymysql://plateflow:***@host/db",
        ),
        ("mysql://us/er:SE CRET@host/db", "mysql://us:***@host/db"),
        ("mysql://plateflow:SEC\nRET?x#y@host/db", "mysql://plateflow:***@host/db"),
        ("mysql://:SECRET@host/db", "mysql://:***@host/db"),
        ("mysql://plateflow@host/db", "mysql://plateflow@host/db"),
        ("https://bob:tok/SECRET@127.0.0.1:9/x.git", "https://***@127.0.0.1:9/x.git"),
        ("https://bob:tok@SECRET@127.0.0.1:9/x.git", "https://***@127.0.0.1:9/x.git"),
        ("https://TOKEN@host/x.git", "https://***@host/x.git"),
        ("ssh://git@host/x.git", "ssh://git@host/x.git"),
        ("git@host:x.git", "git@host:x.git"),
        ("https://host/x.git", "https://host/x.git"),
        ("file:///data/a@b/x.git", "file:///data/a@b/x.git"),
        ("sqlite:////data/a@b/x.sqlite3", "sqlite:////data/a@b/x.sqlite3"),
        ("/data/a@b", "/data/a@b"),
    ],
)
def test_a_url(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        (
            "https://bob:tok/SECRET@host/x.git",
            "fatal: unable to access 'https://bob:tok/SECRET@host/x.git/': no host: tok",
            "fatal: unable to access 'https://***@host/x.git/': no host: ***",
        ),
        ("mysql://u:raw@SECRET/pw@host/db", "no server on 'SECRET'", "no server on '***'"),
        ("mysql://u:h%40nter@host/db", "refused: h@nter", "refused: ***"),
        ("https://ghp_TOKEN@host/x", "ghp_TOKEN is no user", "*** is no user"),
        (
            "https://git:a'b c@host/x",
            "no 'https://git:a'b c@host/x'; ask git",
            "no 'https://***@host/x'; ask git",
        ),
        ("mysql://u:x@host/d", "the axis is at host", "the axis is at host"),
        (None, "at https://a:SECRET@one and ssh://b@two", "at https://***@one and ssh://b@two"),
    ],
)
def test_what_a_program_says(url: str | None, text: str, shown: str) -> None:
    assert without_secrets(text, url) == shown
