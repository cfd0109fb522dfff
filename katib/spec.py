"""What is read of a Katib Experiment (`kubeflow.org/v1beta1`); its YAML has camelCase names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

Strategy = Literal["min", "max", "latest"]
# Katib's own, where the Experiment says none.
_DEFAULT_FORMAT = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
_NAME = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_META_REFERENCE = re.compile(r"\$\{trialSpec\.(Name|Namespace)\}")
Count = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    # As the API server does under strict validation: a field that it does not know is a mistake.
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class MetricStrategy(_Part):
    """Which of a metric's values over a trial counts."""

    name: str
    value: Strategy


class Objective(_Part):
    """What is to be made large or small."""

    type: Literal["maximize", "minimize"]
    objective_metric_name: str = Field(min_length=1)
    goal: float | None = None
    additional_metric_names: tuple[str, ...] = ()
    metric_strategies: tuple[MetricStrategy, ...] = ()

    @field_validator("additional_metric_names")
    @classmethod
    def _others(cls, names: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        if known.data.get("objective_metric_name") in names:
            raise ValueError("the objective is none of the additional metrics")
        return names

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics, the objective first."""
        return (self.objective_metric_name, *self.additional_metric_names)

    def strategy_of(self, metric: str) -> Strategy:
        """Which of a trial's values counts; where the Experiment says none, Katib's default."""
        default: Strategy = "max" if self.type == "maximize" else "min"
        named = {strategy.name: strategy.value for strategy in self.metric_strategies}
        return named.get(metric, default)

    def value_of(self, metric: str, values: Sequence[float]) -> float:
        """The one of a trial's values that counts; there is at least one."""
        strategy = self.strategy_of(metric)
        if strategy == "latest":
            return values[-1]
        return max(values) if strategy == "max" else min(values)

    def is_better(self, value: float, other: float) -> bool:
        """Whether one value of the objective beats another."""
        return value > other if self.type == "maximize" else value < other

    def reaches_goal(self, value: float) -> bool:
        """Whether a value ends the search."""
        return self.goal is not None and not self.is_better(self.goal, value)


class Setting(_Part):
    """A setting of an algorithm."""

    name: str
    value: str


class Algorithm(_Part):
    """A search algorithm or an early stopping, with its settings."""

    algorithm_name: str = Field(min_length=1)
    algorithm_settings: tuple[Setting, ...] = ()

    @property
    def settings(self) -> dict[str, str]:
        """Name to value."""
        return {setting.name: setting.value for setting in self.algorithm_settings}


class FeasibleSpace(_Part):
    """The values that a parameter may take."""

    list: tuple[str, ...] = ()
    min: str = ""
    max: str = ""
    step: str = ""
    distribution: Literal["uniform", "logUniform", "normal", "logNormal", ""] = ""


class Parameter(_Part):
    """One searched parameter."""

    name: str = Field(min_length=1)
    parameter_type: Literal["categorical", "discrete", "int", "double"]
    feasible_space: FeasibleSpace

    @property
    def is_list(self) -> bool:
        """Whether its values are listed, not a range."""
        return self.parameter_type in ("categorical", "discrete")

    @model_validator(mode="after")
    def _fits(self) -> Parameter:
        space = self.feasible_space
        if self.is_list:
            if not space.list or space.min or space.max or space.step:
                raise ValueError(f"feasibleSpace of a {self.parameter_type} needs `list` alone")
            if len(set(space.list)) < len(space.list):
                raise ValueError("feasibleSpace.list names a value twice")
            return self
        if space.list or not (space.min and space.max):
            raise ValueError(f"feasibleSpace of a {self.parameter_type} needs `min` and `max`")
        number = int if self.parameter_type == "int" else float
        low, high, step = (number(text) for text in (space.min, space.max, space.step or "1"))
        if not all(map(math.isfinite, (low, high, step))):
            raise ValueError("feasibleSpace: min, max and step must be finite")
        if step <= 0:
            raise ValueError("feasibleSpace.step must be above 0")
        if low > high:
            raise ValueError("feasibleSpace.min lies above feasibleSpace.max")
        return self

    def tried(self) -> tuple[str, ...]:
        """Every value of a list; the ends of a range."""
        return self.feasible_space.list or (self.feasible_space.min, self.feasible_space.max)


class Filter(_Part):
    """How metrics stand in a line: expressions whose first two groups are name and value."""

    metrics_format: tuple[str, ...] = ()

    @field_validator("metrics_format")
    @classmethod
    def _compile(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for text in formats:
            try:
                groups = re.compile(text).groups
            except re.error as error:
                raise ValueError(f"{text!r} is no regular expression: {error}") from error
            if groups < 2:
                raise ValueError(f"{text!r} needs two groups: a metric's name and its value")
            if ";" in text:
                raise ValueError(f"{text!r}: Katib joins formats by `;`, so none may hold one")
        return formats


class Source(_Part):
    """Where metrics stand."""

    filter: Filter = Filter()
    file_system_path: Any = None
    http_get: Any = None


class Collector(_Part):
    """What reads the metrics."""

    kind: str = "StdOut"
    custom_collector: Any = None


class MetricsCollector(_Part):
    """How metrics are read."""

    collector: Collector = Collector()
    source: Source = Source()


class TrialParameter(_Part):
    """A name in the trial's template for a parameter, or for what Katib knows of the trial."""

    name: str = Field(min_length=1, pattern=r"^[^{}]+$")
    description: str = ""
    reference: str = Field(min_length=1)

    @property
    def meta(self) -> str | None:
        """`Name` or `Namespace`, of a reference such as `${trialSpec.Name}`."""
        found = _META_REFERENCE.fullmatch(self.reference)
        return found[1] if found else None


class TrialTemplate(_Part):
    """How a trial is made."""

    primary_container_name: str = Field(min_length=1)
    trial_parameters: tuple[TrialParameter, ...]
    trial_spec: dict[str, Any] | None = None
    config_map: Any = None
    retain: bool = False
    primary_pod_labels: dict[str, str] = {}
    success_condition: str = ""
    failure_condition: str = ""


class Spec(_Part):
    """What is searched and how."""

    objective: Objective
    algorithm: Algorithm
    early_stopping: Algorithm | None = None
    parameters: tuple[Parameter, ...] = Field(min_length=1)
    trial_template: TrialTemplate
    metrics_collector_spec: MetricsCollector = MetricsCollector()
    # Katib's default.
    parallel_trial_count: Count = 3
    max_trial_count: Count | None = None
    max_failed_trial_count: Annotated[int, Field(ge=0)] | None = None
    resume_policy: Literal["Never", "LongRunning", "FromVolume"] = "Never"
    nas_config: None = None

    @model_validator(mode="after")
    def _fits(self) -> Spec:
        most = self.max_trial_count
        for field, count in (
            ("parallelTrialCount", self.parallel_trial_count),
            ("maxFailedTrialCount", self.max_failed_trial_count),
        ):
            if most is not None and (count or 0) > most:
                raise ValueError(f"{field} lies above maxTrialCount")
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) < len(names):
            raise ValueError("parameters: two have the same name")
        return self


class Metadata(BaseModel):
    """Of Kubernetes' metadata, what is used here."""

    name: str = Field(pattern=f"^{_NAME}$", max_length=40)
    namespace: str = "default"


class Experiment(_Part):
    """A Katib Experiment."""

    api_version: Literal["kubeflow.org/v1beta1"]
    kind: Literal["Experiment"]
    metadata: Metadata
    spec: Spec
    status: Any = None

    @property
    def name(self) -> str:
        """Of the search."""
        return self.metadata.name

    @property
    def formats(self) -> tuple[str, ...]:
        """The expressions that find metrics in a line."""
        return self.spec.metrics_collector_spec.source.filter.metrics_format or (_DEFAULT_FORMAT,)
