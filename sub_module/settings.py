"""What the environment says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


class ServiceAccount(BaseSettings):
    """A Google service account, from environment variables named as the fields of its key file.

    A Kubernetes secret made of that file's lines by `--from-env-file` gives them so: in lower case,
    without a prefix. `PRIVATE_KEY` of another program is not taken for one. What else the file
    holds, nobody needs for a token.
    """

    model_config = SettingsConfigDict(case_sensitive=True, env_ignore_empty=True, extra="ignore")

    private_key: SecretStr | None = None
    client_email: str | None = None
    private_key_id: SecretStr | None = None
    project_id: str | None = None
    token_uri: str | None = None
    universe_domain: str | None = None
    # Other programs have a variable of this name too.
    type: str | None = None


class Settings(BaseSettings):
    """Settings from the environment: `PLATEFLOW_HOME` fills `home`, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="PLATEFLOW_", env_ignore_empty=True, populate_by_name=True
    )

    # The directory of all state: runs, models, data sets, uploaded pipelines. It can be deleted
    # to start afresh.
    home: Path = Path(".plateflow")
    # The catalog, as SQLAlchemy writes it, such as mysql+pymysql://user@host/plateflow; None: a
    # SQLite file in the home.
    database_url: str | None = None
    # Goes into a database_url that has none.
    database_password: SecretStr | None = None
    # The object store: file:///directory or gs://bucket/prefix; None: a directory in the home.
    store: str | None = None
    # The git repository of data set versions, anything that `git clone` takes; None: a bare
    # repository in the home, made on first use.
    datasets: str | None = None
    # The directory where the cluster's volume is mounted on this machine, if it is.
    volume: Path | None = None
    # Who asks for gs://; nothing set: Google's own ways decide, GOOGLE_APPLICATION_CREDENTIALS or
    # workload identity.
    service_account: ServiceAccount = Field(default_factory=ServiceAccount)
    # The Kubernetes namespace of runs, searches, the volume and the secret.
    namespace: str = "plateflow"
    # Kubeflow Pipelines, such as https://kubeflow.example.com/pipeline; None: found through the
    # cluster that kubectl uses, or from inside of it.
    kfp_host: str | None = None
    # Where Kubeflow Pipelines itself is installed.
    kfp_namespace: str = "kubeflow"
    # How to log in, the first that is set: a token, a file that holds one, a Kubernetes service
    # account to ask the cluster for a token of, a user and a password of Dex or oauth2-proxy.
    kfp_token: SecretStr | None = None
    kfp_token_file: Path | None = None
    kfp_service_account: str | None = None
    kfp_user: str | None = None
    kfp_password: SecretStr | None = None
    # Certificates that vouch for the host, beside those that everyone trusts.
    kfp_ca: Path | None = None
    # Whoever asks the model server must bring it, as `Authorization: Bearer ...`; nothing set: no
    # question. `predict` brings it. A secret made of a file ends with its last line break.
    serve_token: Annotated[SecretStr, BeforeValidator(_stripped)] | None = None
    # The gateway of a cluster's model servers as it is reached from here, such as
    # http://localhost:8080 of a port-forward; None: found through the cluster.
    gateway: str | None = None
