"""A Kubernetes API server in a thread: real HTTP, kept state, strict validation, RBAC, faults.

It has no controllers; what one would do, a test does with `put`, or in a function given to
`on_read`. What nothing of ours asks for (watching, other selectors and patches) is refused.
"""

from __future__ import annotations

import copy
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.servers.kubernetes_access import (
    ADMIN,
    User,
    Wish,
    is_allowed,
    kubeconfig,
    service_account,
)
from tests.servers.kubernetes_http import Answer, Asked, Call, Fault, HttpServer, json_answer
from tests.servers.kubernetes_objects import (
    RESOURCES,
    Object,
    Problem,
    Resource,
    check_change,
    check_new,
    check_valid,
    fill_in,
    now,
    patched,
    selected,
)
from tests.servers.schemas import SCHEMAS

NAMESPACE = "plateflow"
ADMIN_TOKEN = "token-of-admin"
_API = "https://kubernetes.default.svc"


class Kubernetes:
    """The server, and what tests do to it.

    Attributes:
        url: Where it listens.
        kubeconfig: A file that names it, with the administrator's token.
        calls: Every request for a resource, in order.
        tokens: Who each bearer token is.
        version: What /version says.
        logs: Text by (namespace, pod, container).
        services: URLs that the service proxy forwards to, by (namespace, service).
    """

    def __init__(
        self, folder: Path, tls: ssl.SSLContext | None = None, ca: Path | None = None
    ) -> None:
        """As `serve_kubernetes`."""
        self._lock = threading.RLock()
        self._objects: dict[tuple[str, str | None, str], Object] = {}
        self._revision = 100
        # Without the schemas, fields are not checked.
        self.is_strict = SCHEMAS.is_dir()
        self._readers: dict[str, Callable[[Object], None]] = {}
        self._resources = list(RESOURCES)
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.tokens: dict[str, User] = {ADMIN_TOKEN: ADMIN}
        self.logs: dict[tuple[str, str, str], str] = {}
        self.services: dict[tuple[str, str], str] = {}
        self.version = "v1.34.2"
        for name in ("default", "kubeflow", NAMESPACE):
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self._http = HttpServer(self, tls)
        self._ca = ca
        self.url = self._http.url
        self.kubeconfig = self.write_kubeconfig(folder / "kubeconfig", ADMIN_TOKEN)

    def close(self) -> None:
        """Stop listening."""
        self._http.close()

    def write_kubeconfig(self, file: Path, token: str | None) -> Path:
        """A kubeconfig that names this server; None: without anybody's token."""
        file.write_text(kubeconfig(self.url, token, self._ca))
        return file

    def put(self, item: Object) -> Object:
        """Make or replace an object as the cluster itself would: unchecked, status and all."""
        with self._lock:
            resource = next(r for r in RESOURCES if r.kind == item["kind"])
            namespace = None
            if resource.namespaced:
                namespace = item["metadata"].setdefault("namespace", NAMESPACE)
            key = (resource.plural, namespace, item["metadata"]["name"])
            item = copy.deepcopy(item)
            fill_in(resource, item)
            return self._store(key, item, self._objects.get(key))

    def get(self, plural: str, name: str, namespace: str | None = NAMESPACE) -> Object:
        """A copy of an object; KeyError when there is none."""
        with self._lock:
            return copy.deepcopy(self._objects[plural, namespace, name])

    def objects(self, plural: str) -> list[Object]:
        """Copies of all objects of a kind, of all namespaces, oldest first."""
        with self._lock:
            return [copy.deepcopy(item) for key, item in self._objects.items() if key[0] == plural]

    def remove(self, plural: str, name: str, namespace: str | None = NAMESPACE) -> None:
        """Take an object away."""
        with self._lock:
            del self._objects[plural, namespace, name]

    def fail(
        self,
        status: int = 503,
        *,
        times: float = 1,
        matching: str = "",
        acted: bool = False,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        message: str = "the server is away",
    ) -> None:
        """Answer so to the next requests, as many `times`.

        Args:
            status: HTTP's; 0: the connection is cut without an answer.
            times: How often.
            matching: A part of "VERB RESOURCE NAME" of the requests that are meant, such as
                `create secrets` or `get pods/log`.
            acted: Only after the request has had its effect.
            headers: Such as Retry-After.
            content: A page of HTML, as a proxy answers, or other JSON; None: a Status.
            message: In that JSON.
        """
        self.faults.append(
            Fault(status, times, matching, acted, dict(headers or {}), content, message)
        )

    def on_read(self, plural: str, reader: Callable[[Object], None]) -> None:
        """Call it with a copy of an object before each GET of one of that kind."""
        self._readers[plural] = reader

    def withdraw(self, group: str) -> None:
        """As though the CRDs of a group were not installed."""
        self._resources = [r for r in self._resources if r.group != group]

    def allow(self, token: str, account: str, *rules: Object, everywhere: bool = False) -> Path:
        """Make a service account that these rules of RBAC allow; gives a kubeconfig of its own."""
        self.tokens[token] = service_account(NAMESPACE, account)
        prefix = "Cluster" if everywhere else ""
        rbac = "rbac.authorization.k8s.io"
        head = {"apiVersion": f"{rbac}/v1", "metadata": {"name": account}}
        self.put({**copy.deepcopy(head), "kind": f"{prefix}Role", "rules": list(rules)})
        self.put(
            {
                **copy.deepcopy(head),
                "kind": f"{prefix}RoleBinding",
                "roleRef": {"apiGroup": rbac, "kind": f"{prefix}Role", "name": account},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
            }
        )
        return self.write_kubeconfig(self.kubeconfig.with_name(f"{account}.kubeconfig"), token)

    # What the HTTP side asks.

    def resources(self) -> list[Resource]:
        """What discovery lists."""
        return self._resources

    def is_allowed(self, user: User, wish: Wish) -> bool:
        """Whether RBAC lets a user do it."""
        with self._lock:
            kinds = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
            return is_allowed(user, wish, {kind: self.objects(kind) for kind in kinds})

    def answer(self, asked: Asked) -> Answer:
        """What is answered to a request for a resource that the user may ask.

        Raises:
            Problem: It is refused.
        """
        with self._lock:
            special = {
                ("create", "selfsubjectaccessreviews"): self._review,
                ("create", "serviceaccounts/token"): self._token,
                ("get", "pods/log"): self._log,
            }.get((asked.verb, asked.full_resource))
            if special is not None:
                return special(asked)
            if asked.subresource:
                raise Problem(404, "NotFound", "the server could not find the requested resource")
            verbs: dict[str, Callable[[Asked], Answer]] = {
                "create": self._create,
                "get": self._get,
                "list": self._list,
                "update": self._change,
                "patch": self._change,
                "delete": self._delete,
            }
            return verbs[asked.verb](asked)

    def _create(self, asked: Asked) -> Answer:
        item = copy.deepcopy(asked.body)
        metadata = item.setdefault("metadata", {})
        check_new(asked.resource, item, asked.namespace)
        self._check_namespace(asked)
        asked = asked._replace(name=metadata["name"])
        if asked.key in self._objects:
            message = f'{asked.group_resource} "{asked.name}" already exists'
            raise Problem(409, "AlreadyExists", message)
        item.pop("status", None)
        fill_in(asked.resource, item)
        if asked.resource.kind == "PersistentVolumeClaim":
            item["status"] = {"phase": "Bound"}
        return json_answer(201, self._stored(asked, item, None))

    def _get(self, asked: Asked) -> Answer:
        if (reader := self._readers.get(asked.resource.plural)) is not None:
            reader(copy.deepcopy(self._present(asked)))
        return json_answer(200, self._present(asked))

    def _list(self, asked: Asked) -> Answer:
        if unknown := {"watch", "fieldSelector"} & asked.query.keys():
            raise Problem(400, "BadRequest", f"this server of the tests knows no {unknown}")
        labels = asked.query.get("labelSelector", "")
        items = [
            item
            for (plural, namespace, _), item in self._objects.items()
            if plural == asked.resource.plural
            and asked.namespace in (None, namespace)
            and selected(item, labels)
        ]
        if not asked.resource.is_custom:
            items = [{k: v for k, v in i.items() if k not in ("kind", "apiVersion")} for i in items]
        kind = f"{asked.resource.kind}List"
        metadata = {"resourceVersion": str(self._revision)}
        listed = {"kind": kind, "apiVersion": asked.resource.api_version, "metadata": metadata}
        return json_answer(200, {**listed, "items": items})

    def _change(self, asked: Asked) -> Answer:
        old = self._present(asked)
        new = copy.deepcopy(asked.body)
        if asked.verb == "patch":
            new = patched(asked.content_type, asked.resource, old, asked.body)
        if (new.get("metadata") or {}).get("name", asked.name) != asked.name:
            message = "the name of the object does not match the name on the URL"
            raise Problem(400, "BadRequest", message)
        if "status" in old:
            new["status"] = copy.deepcopy(old["status"])
        sent = (new.get("metadata") or {}).get("resourceVersion")
        if asked.resource.is_custom and not sent:
            message = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
            raise Problem(422, "Invalid", message)
        check_valid(asked.resource, new)
        fill_in(asked.resource, new)
        check_change(asked.resource, old, new)
        return json_answer(200, self._stored(asked, new, old))

    def _delete(self, asked: Asked) -> Answer:
        old = self._present(asked)
        if old["metadata"].get("finalizers"):
            gone = {**old["metadata"], "deletionTimestamp": now()}
            return json_answer(200, self._stored(asked, {**old, "metadata": gone}, old))
        del self._objects[asked.key]
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return json_answer(200, status)

    def _review(self, asked: Asked) -> Answer:
        check_new(asked.resource, {**asked.body, "metadata": {"name": "review"}}, None)
        attributes = asked.body["spec"].get("resourceAttributes")
        if attributes is None:
            raise Problem(422, "Invalid", "spec.resourceAttributes: Invalid value: null")
        resource, sub = attributes.get("resource", ""), attributes.get("subresource")
        wish = Wish(
            attributes.get("verb", ""),
            attributes.get("group", ""),
            f"{resource}/{sub}" if sub else resource,
            attributes.get("namespace") or None,
            attributes.get("name") or None,
        )
        status = {"allowed": self.is_allowed(asked.user, wish)}
        return json_answer(201, {**asked.body, "status": status})

    def _token(self, asked: Asked) -> Answer:
        self._present(asked._replace(subresource=""))
        spec = asked.body.get("spec") or {}
        seconds = spec.get("expirationSeconds", 3600)
        if seconds < 600:
            raise Problem(422, "Invalid", "spec.expirationSeconds: may not be less than 10 minutes")
        token = f"token-of-{asked.name}-{secrets.token_hex(8)}"
        if _API in (spec.get("audiences") or [_API]):
            self.tokens[token] = service_account(asked.namespace or "", asked.name or "")
        until = now(datetime.now(UTC) + timedelta(seconds=seconds))
        return json_answer(
            201,
            {
                "kind": "TokenRequest",
                "apiVersion": "authentication.k8s.io/v1",
                "metadata": {"name": asked.name, "namespace": asked.namespace},
                "spec": {"audiences": [_API], "expirationSeconds": seconds, **spec},
                "status": {"token": token, "expirationTimestamp": until},
            },
        )

    def _log(self, asked: Asked) -> Answer:
        pod = self._present(asked._replace(subresource=""))
        names = [each["name"] for each in pod["spec"]["containers"]]
        container = asked.query.get("container") or names[0]
        if container not in names:
            message = f"container {container} is not valid for pod {asked.name}"
            raise Problem(400, "BadRequest", message)
        text = self.logs.get((asked.namespace or "", asked.name or "", container))
        if text is None:
            message = f'container "{container}" in pod "{asked.name}" is waiting to start'
            raise Problem(400, "BadRequest", message)
        if "tailLines" in asked.query:
            text = "".join(text.splitlines(keepends=True)[-int(asked.query["tailLines"]) :])
        return Answer(200, "text/plain", text.encode())

    def _present(self, asked: Asked) -> Object:
        found = self._objects.get(asked.key)
        if found is None:
            raise Problem(404, "NotFound", f'{asked.group_resource} "{asked.name}" not found')
        return found

    def _check_namespace(self, asked: Asked) -> None:
        is_there = ("namespaces", None, asked.namespace) in self._objects
        if asked.resource.namespaced and not is_there:
            raise Problem(404, "NotFound", f'namespaces "{asked.namespace}" not found')

    def _stored(self, asked: Asked, item: Object, old: Object | None) -> Object:
        if asked.resource.namespaced:
            item["metadata"]["namespace"] = asked.namespace
        return self._store(asked.key, item, old)

    def _store(self, key: tuple[str, str | None, str], item: Object, old: Object | None) -> Object:
        self._revision += 1
        metadata = item["metadata"]
        known = (old or {}).get("metadata", {})
        metadata["uid"] = known.get("uid") or f"uid-{self._revision}"
        metadata["creationTimestamp"] = known.get("creationTimestamp") or metadata.get(
            "creationTimestamp", now()
        )
        metadata["resourceVersion"] = str(self._revision)
        self._objects[key] = item
        return item


@contextmanager
def serve_kubernetes(
    folder: Path, tls: ssl.SSLContext | None = None, ca: Path | None = None
) -> Iterator[Kubernetes]:
    """The server while the block runs; `folder` gets the kubeconfig, which trusts `ca`."""
    server = Kubernetes(folder, tls, ca)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubernetes]:
    """A server of the test's own, which kubectl's configuration names; nothing waits."""
    monkeypatch.setattr("cluster.api.PAUSES_SECONDS", (0.0, 0.0, 0.0))
    with serve_kubernetes(tmp_path) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        monkeypatch.delenv("PLATEFLOW_NAMESPACE", raising=False)
        yield server
