"""What the server keeps: its tables, their rows as the API shows them, and its clock."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


class Clock:
    """Whole seconds, as the server stores them."""

    def __init__(self) -> None:
        self._last = int(time.time())

    def now(self) -> int:
        """Seconds since the epoch; each time later than the time before."""
        self._last = max(int(time.time()), self._last + 1)
        return self._last


def moment(seconds: int) -> str:
    """As the API writes it."""
    # The zero of Go's times is before what `fromtimestamp` takes.
    if seconds < -62_000_000_000:
        return "0001-01-01T00:00:00Z"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


def filled(**fields: Any) -> dict[str, Any]:
    """Without what is empty, as protobuf's JSON leaves it out."""
    return {key: value for key, value in fields.items() if value not in ("", None, {}, [], False)}


@dataclass
class Pipeline:
    """A pipeline; its versions are rows of their own."""

    name: str
    display_name: str
    description: str
    namespace: str
    created_at: int
    id: str = field(default_factory=new_id)

    def shown(self) -> dict[str, Any]:
        """See the API's Pipeline."""
        return filled(
            pipeline_id=self.id,
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            created_at=moment(self.created_at),
            namespace=self.namespace,
        )


@dataclass
class Version:
    """An uploaded version; `spec` as the API shows it, `yaml` as it was uploaded."""

    pipeline_id: str
    name: str
    display_name: str
    description: str
    created_at: int
    spec: dict[str, Any]
    yaml: bytes
    id: str = field(default_factory=new_id)

    def shown(self) -> dict[str, Any]:
        """See the API's PipelineVersion."""
        return filled(
            pipeline_id=self.pipeline_id,
            pipeline_version_id=self.id,
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            created_at=moment(self.created_at),
            pipeline_spec=self.spec,
        )


@dataclass
class Experiment:
    """An experiment; `last_run_created_at` is 1970 before its first run."""

    display_name: str
    description: str
    namespace: str
    created_at: int
    id: str = field(default_factory=new_id)
    last_run_created_at: int = 0
    storage_state: str = "AVAILABLE"

    def shown(self) -> dict[str, Any]:
        """See the API's Experiment."""
        return filled(
            experiment_id=self.id,
            display_name=self.display_name,
            description=self.description,
            created_at=moment(self.created_at),
            last_run_created_at=moment(self.last_run_created_at),
            namespace=self.namespace,
            storage_state=self.storage_state,
        )


@dataclass
class Schedule:
    """A recurring run."""

    display_name: str
    description: str
    namespace: str
    experiment_id: str
    source: dict[str, Any]
    runtime_config: dict[str, Any]
    trigger: dict[str, Any]
    max_concurrency: int
    no_catchup: bool
    service_account: str
    enabled: bool
    created_at: int
    updated_at: int
    id: str = field(default_factory=new_id)
    num_runs: int = 0

    def shown(self) -> dict[str, Any]:
        """See the API's RecurringRun."""
        return filled(
            recurring_run_id=self.id,
            display_name=self.display_name,
            description=self.description,
            status="ENABLED" if self.enabled else "DISABLED",
            mode="ENABLE" if self.enabled else "DISABLE",
            created_at=moment(self.created_at),
            updated_at=moment(self.updated_at),
            max_concurrency=str(self.max_concurrency),
            no_catchup=self.no_catchup,
            service_account=self.service_account,
            namespace=self.namespace,
            experiment_id=self.experiment_id,
            runtime_config=self.runtime_config,
            trigger=self.trigger,
            **self.source,
        )
