"""A service account with a real RSA key, made on the spot."""

from __future__ import annotations

import base64
import json
import secrets
import time
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

# Whom clients write to, wherever they then send it.
_AUDIENCE = "https://oauth2.googleapis.com/token"
# How a private key may arrive in the environment.
FORMS = ("real", "escaped", "quoted", "windows", "escaped windows")


class ServiceAccount:
    """The key file's fields, and what Google does with what is signed with them."""

    def __init__(self, token_uri: str) -> None:
        """A new account whose tokens come from `token_uri`."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.token_uri = token_uri
        # The one that Google gives for a right signature.
        self.token = f"ya29.{secrets.token_urlsafe(24)}"

    @cached_property
    def private_key(self) -> str:
        """In PEM, with real newlines."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @cached_property
    def fields(self) -> dict[str, str]:
        """The key file, as `json.loads` reads it."""
        email = "plateflow@a-project.iam.gserviceaccount.com"
        return {
            "type": "service_account",
            "project_id": "a-project",
            "private_key_id": secrets.token_hex(20),
            "private_key": self.private_key,
            "client_email": email,
            "client_id": "112233445566778899000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": self.token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{email}",
            "universe_domain": "googleapis.com",
        }

    def environment(self, form: str) -> dict[str, str]:
        """The fields as environment variables.

        `form` is of the private key: with "real" newlines, with "escaped" ones as a Kubernetes
        secret made by `--from-env-file` has them, or so and "quoted"; the same of a file with
        "windows" newlines.
        """
        key = self.private_key.replace("\n", "\r\n") if "windows" in form else self.private_key
        if form not in ("real", "windows"):
            key = key.replace("\r", "\\r").replace("\n", "\\n")
        return {**self.fields, "private_key": f'"{key}"' if form == "quoted" else key}

    def secret_lines(self) -> list[str]:
        """What no output may hold: the key's lines, its id, and the token."""
        lines = [line for line in self.private_key.splitlines() if "-----" not in line]
        return [*lines, self.fields["private_key_id"], self.token]

    def verify(self, form: dict[str, str]) -> None:
        """Check a request for a token.

        Raises:
            ValueError: It is not signed with the account's key, not meant for Google, too old...
        """
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise ValueError(f"grant_type is {form.get('grant_type')}")
        signed, _, signature = form["assertion"].rpartition(".")
        try:
            self._key.public_key().verify(
                _decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            raise ValueError("Invalid JWT Signature.") from None
        header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        if header["alg"] != "RS256" or header["kid"] != self.fields["private_key_id"]:
            raise ValueError(f"signed with another key: {header}")
        if claims["iss"] != self.fields["client_email"] or claims["aud"] != _AUDIENCE:
            raise ValueError(f"not for us: {claims}")
        if not claims["iat"] - 60 < time.time() < claims["exp"]:
            raise ValueError("Invalid JWT: too old or too new")
        if "devstorage" not in claims["scope"]:
            raise ValueError(f"no access to storage: {claims['scope']}")


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
