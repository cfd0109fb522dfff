"""What the environment says."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings from the environment: `PLATEFLOW_HOME` fills `home`, and so on."""

    model_config = SettingsConfigDict(env_prefix="PLATEFLOW_", env_ignore_empty=True)

    # The directory of all state: runs, models, data sets, uploaded pipelines. It can be deleted
    # to start afresh.
    home: Path = Path(".plateflow")
