"""Pipelines, their versions, and the uploads of both."""

from __future__ import annotations

from typing import Any

from tests.servers.kfp.answers import RefusedError, exists, internal, invalid, not_found
from tests.servers.kfp.listing import folded, page
from tests.servers.kfp.rows import Pipeline, Version
from tests.servers.kfp.spec import parse_yaml
from tests.servers.kfp.state import Request, State, check_length

_MAX_FILE_BYTES = 32 << 20

_PIPELINE_FIELDS = {
    "id": "id",
    "pipeline_id": "id",
    "name": "name",
    "display_name": "display_name",
    "created_at": "created_at",
    "description": "description",
    "namespace": "namespace",
}
_VERSION_FIELDS = {
    "id": "id",
    "pipeline_version_id": "id",
    "name": "name",
    "display_name": "display_name",
    "created_at": "created_at",
    "description": "description",
}


def create_pipeline(state: State, request: Request) -> dict[str, Any]:
    """An empty one."""
    body = request.body
    name = body.get("name") or body.get("display_name", "")
    _check_name("Pipeline", name, 128)
    namespace = state.namespace(body.get("namespace", ""))
    if not name:
        raise invalid("name is required")
    state.authorize("create", "pipelines", namespace)
    for other in state.pipelines.values():
        if (folded(other.name), other.namespace) == (folded(name), namespace):
            raise exists(
                f"Failed to create a new pipeline. The name {name} already exists. "
                "Please specify a new name"
            )
    made = Pipeline(
        name,
        body.get("display_name") or name,
        body.get("description", ""),
        namespace,
        state.clock.now(),
    )
    state.pipelines[made.id] = made
    return made.shown()


def list_pipelines(state: State, request: Request) -> dict[str, Any]:
    """Those of one namespace; none given: the shared ones."""
    namespace = state.namespace(request.query.get("namespace", ""))
    state.authorize("list", "pipelines", namespace)
    rows = [row for row in state.pipelines.values() if row.namespace == namespace]
    return listed("pipelines", *page(rows, request.query, _PIPELINE_FIELDS))


def delete_pipeline(state: State, request: Request) -> dict[str, Any]:
    """Refused while it has versions, unless they go with it."""
    pipeline = _pipeline(state, request.path["pipeline_id"], "delete")
    versions = [row for row in state.versions.values() if row.pipeline_id == pipeline.id]
    if versions and request.query.get("cascade", "false").lower() != "true":
        raise invalid(
            f"Failed to delete pipeline with id {pipeline.id} as it has existing pipeline versions "
            f"(e.g. {versions[-1].id}). Set cascade=true to delete all versions"
        )
    for version in versions:
        del state.versions[version.id]
    del state.pipelines[pipeline.id]
    return {}


def list_versions(state: State, request: Request) -> dict[str, Any]:
    """Those of a pipeline."""
    pipeline = _pipeline(state, request.path["pipeline_id"], "list")
    rows = [row for row in state.versions.values() if row.pipeline_id == pipeline.id]
    return listed("pipeline_versions", *page(rows, request.query, _VERSION_FIELDS))


def get_version(state: State, request: Request) -> dict[str, Any]:
    """By its id; the pipeline's is not looked at."""
    return _version(state, request, "get").shown()


def delete_version(state: State, request: Request) -> dict[str, Any]:
    """Its runs stay."""
    del state.versions[_version(state, request, "delete").id]
    return {}


def upload_version(state: State, request: Request) -> dict[str, Any]:
    """A version of a pipeline that is there."""
    file_name, content = _file(request)
    pipeline = state.pipelines.get(request.query.get("pipelineid", ""))
    name = request.query.get("name") or request.query.get("display_name") or file_name
    check_length("PipelineVersion.Name", name, 127)
    if pipeline is None:
        raise invalid("Failed to create a pipeline version")
    if pipeline.namespace:
        try:
            state.authorize("create", "pipelines", pipeline.namespace)
        except RefusedError as refusal:
            # Uploads do not say that it is a matter of rights.
            raise invalid("Failed to create a pipeline version") from refusal
    version = Version(
        pipeline.id,
        name,
        request.query.get("display_name") or name,
        request.query.get("description", ""),
        state.clock.now(),
        parse_yaml(content).shown(),
        content,
    )
    names = {folded(v.name) for v in state.versions.values() if v.pipeline_id == pipeline.id}
    if folded(name) in names:
        raise exists(
            f"Failed to create a new pipeline version. The name {name} already exists. "
            "Specify a new name"
        )
    state.versions[version.id] = version
    return version.shown()


def _pipeline(state: State, key: str, verb: str) -> Pipeline:
    pipeline = state.pipelines.get(key)
    if pipeline is None:
        raise not_found("Pipeline", key)
    state.authorize(verb, "pipelines", pipeline.namespace)
    return pipeline


def _version(state: State, request: Request, verb: str) -> Version:
    key = request.path["pipeline_version_id"]
    version = state.versions.get(key)
    if version is None:
        raise not_found("PipelineVersion", key)
    _pipeline(state, version.pipeline_id, verb)
    return version


def _check_name(kind: str, name: str, longest: int) -> None:
    try:
        check_length(f"{kind}.Name", name, longest)
    except RefusedError as refusal:
        # The server takes this for a fault of its own.
        message = f"Failed to convert API {kind.lower()} to model: {refusal.message}"
        raise internal(message) from refusal


def _file(request: Request) -> tuple[str, bytes]:
    if request.file is None:
        raise invalid("Failed to read pipeline from file")
    name, content = request.file
    is_text = name.endswith((".yaml", ".yml", ".json"))
    if len(content) > _MAX_FILE_BYTES or not is_text:
        raise invalid("Failed to read a pipeline spec file")
    return name, content


def listed(name: str, found: list[Any], total: int, following: str) -> dict[str, Any]:
    """A page as the API shows it: what is empty is left out."""
    listed: dict[str, Any] = {name: [row.shown() for row in found]} if found else {}
    if total:
        listed["total_size"] = total
    if following:
        listed["next_page_token"] = following
    return listed
