"""Who we are at Google Cloud Storage: for our own requests, and for those of child processes."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from dataset_tools.store.place import store_url
from sub_module.errors import StoreError
from sub_module.settings import Settings

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.exceptions import GoogleAuthError

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
# A token, a signature, a line of a key; no server should say them, and none is repeated.
_LONG_WORD = re.compile(r"[\w+/=.-]{20,}")
# What Google's key files say; a secret may leave it out.
_TOKEN_URI = "https://oauth2.googleapis.com/token"
# Without these there is no asking for a token; if none is set, there is no service account.
_NEEDED = ("private_key", "client_email")
# Of other key files of Google's; what else `type` says is of another program.
_OTHER_TYPES = ("authorized_user", "external_account")
_KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


def service_account(settings: Settings) -> dict[str, str] | None:
    """The service account of the environment as a key file's content; None: there is none.

    Newlines of the private key that arrived as backslash-n or backslash-r-backslash-n are real ones
    in what is returned, and quotes around a value are gone: `kubectl create secret --from-env-file`
    keeps all of these.

    Raises:
        StoreError: A field that is needed is missing, or the fields are of another kind of key.
    """
    given = _given(settings)
    present = [name for name in _NEEDED if name in given]
    if not present:
        return None
    if "type" in given:
        raise StoreError(
            f"service account: the environment's type is {given['type']}, which cannot be used; "
            "give the fields of a service_account"
        )
    for name in _NEEDED:
        if name not in given:
            raise StoreError(
                f"service account: {name} is not set in the environment, but {present[0]} is"
            )
    key = re.sub(r"\\+n", "\n", re.sub(r"\\+r|\r", "", given["private_key"]))
    fixed = {"type": "service_account", "private_key": key.strip() + "\n"}
    return {"token_uri": _TOKEN_URI, **given, **fixed}


def credentials_source(settings: Settings) -> tuple[str, str]:
    """Where the credentials come from: environment variables that are set, and whose they are.

    Nothing of it is secret. A service account that cannot be used is described all the same.
    """
    given = _given(settings)
    if any(name in given for name in _NEEDED):
        return " ".join(given), given.get("client_email", "a service account")
    if os.environ.get(_KEY_FILE):
        return _KEY_FILE, _key_file()
    return "", "nobody, to an emulator" if _emulator_url() else "this machine's, if it has any"


@contextmanager
def credentials_file(settings: Settings, folder: Path) -> Iterator[Path | None]:
    """The service account as a file that only this user reads, for child processes.

    It is gone at the end; `sub_module.files.sweep` of the folder deletes the one of a killed
    process. None: the environment has no service account, and child processes find out themselves
    who they are, from GOOGLE_APPLICATION_CREDENTIALS, by workload identity, or nobody.

    Raises:
        StoreError: As `service_account`.
        OSError: The file cannot be written.
    """
    account = service_account(settings)
    if account is None:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    # mkstemp makes files that nobody else may read.
    handle, name = tempfile.mkstemp(prefix=".credentials.", suffix=".partial", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(account, file)
        yield Path(name).resolve()
    finally:
        Path(name).unlink(missing_ok=True)


def dvc_remote(
    settings: Settings, name: str = "dvc", credentials: Path | None = None
) -> dict[str, str]:
    """The options of a DVC remote in the store, under `name`.

    Args:
        settings: Which store.
        name: The remote's directory in the store.
        credentials: What `credentials_file` gave.

    Returns:
        The keys and values of a `[remote]` section: `url`, and for gs:// `endpointurl` where an
        emulator stands in, and `credentialpath` or `allow_anonymous_login`.

    Raises:
        StoreError: The store's URL cannot be used.
    """
    url = store_url(settings)
    if url.startswith("file://"):
        return {"url": f"{url.removeprefix('file://')}/{name}"}
    options = {"url": f"{url}/{name}"}
    if emulator := _emulator_url():
        options["endpointurl"] = emulator
    if credentials:
        options["credentialpath"] = str(credentials)
    elif _is_anonymous():
        options["allow_anonymous_login"] = "true"
    return options


def quiet_gcsfs() -> None:
    """For this process and its children: gcsfs does not wait long, and logs no tracebacks."""
    # It asks whether a bucket is of an experimental kind, and an emulator lets it wait a minute.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    # It logs the traceback of every error that it raises.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)


def find_credentials(settings: Settings) -> Credentials | None:
    """Who asks, with a token that Google has just given; None: nobody (anonymous).

    Raises:
        StoreError: The key cannot be read, Google refuses it, or cannot be asked.
    """
    account = service_account(settings)
    if account is None and _is_anonymous():
        return None
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    who = account["client_email"] if account else _key_file() or "this machine's workload identity"
    try:
        if account:
            credentials = _account_credentials(account)
        else:
            credentials, _ = google.auth.default(scopes=[_SCOPE])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
        return credentials
    except (DefaultCredentialsError, OSError, ValueError):
        if os.environ.get(_KEY_FILE):
            reason = "is no credentials file that can be used"
            raise StoreError(f"{_KEY_FILE}: {_key_file()} {reason}") from None
        return None
    except TransportError:
        raise StoreError(f"Google cannot be asked for a token ({who})") from None
    except GoogleAuthError as error:
        raise StoreError(f"Google gives no token to {who}: {said_by_google(error)}") from None


def said_by_google(error: GoogleAuthError) -> str:
    """Why there is no token, in one line, without what could be a secret."""
    # `invalid_grant: Invalid JWT Signature.`; the rest is the whole answer.
    said = str(error.args[0]) if error.args else "no reason given"
    return " ".join(_LONG_WORD.sub("***", said).split())[:200]


def _given(settings: Settings) -> dict[str, str]:
    """The fields that are set, without quotes; `type` only where it names another kind of key."""
    given = {}
    for name, value in settings.service_account:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        text = (text or "").strip().strip("\"'").strip()
        if text and (name != "type" or text in _OTHER_TYPES):
            given[name] = text
    return given


def _account_credentials(account: dict[str, str]) -> Credentials:
    from google.oauth2.service_account import Credentials as AccountCredentials

    try:
        credentials: Credentials = AccountCredentials.from_service_account_info(  # type: ignore[no-untyped-call]
            account, scopes=[_SCOPE]
        )
        return credentials
    except ValueError:
        # Nothing of the library's message and traceback: they stand close to the key.
        raise StoreError(
            "service account: the environment's private_key is no whole RSA key in PEM"
        ) from None


def _emulator_url() -> str | None:
    """Where a server stands in for Google's, from STORAGE_EMULATOR_HOST."""
    host = os.environ.get("STORAGE_EMULATOR_HOST")
    if not host or host == "default":
        return None
    return host if host.startswith(("http://", "https://")) else f"http://{host}"


def _is_anonymous() -> bool:
    """Whether nobody has to be asked who we are: an emulator, and no credentials given."""
    return bool(_emulator_url()) and not any(map(os.environ.get, (_KEY_FILE, "GCE_METADATA_HOST")))


def _key_file() -> str:
    """For messages: the file's name; some put the key itself there."""
    file = os.environ.get(_KEY_FILE, "")
    return file if re.fullmatch(r"[^{}\n]{0,200}", file) else "(no file's name)"
