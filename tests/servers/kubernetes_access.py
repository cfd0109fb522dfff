"""Who may do what: Kubernetes' RBAC over the objects of the emulator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cluster.permissions import Permission

_CREATORS = "system:authenticated"


class Wish(NamedTuple):
    """What a request, or a SelfSubjectAccessReview, is about."""

    verb: str
    group: str
    # With the subresource: pods/log.
    resource: str
    namespace: str | None
    name: str | None


class User(NamedTuple):
    """Who asks."""

    name: str
    groups: tuple[str, ...]

    @property
    def service_account(self) -> tuple[str, str] | None:
        """Namespace and name, when it is one."""
        parts = self.name.split(":")
        return (parts[2], parts[3]) if parts[:2] == ["system", "serviceaccount"] else None


def service_account(namespace: str, name: str) -> User:
    """As its tokens make a request known."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", _CREATORS)
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


ADMIN = User("admin", ("system:masters", _CREATORS))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
# Of the ClusterRoles that every cluster binds to whoever is logged in.
_EVERYBODY = Wish("create", "authorization.k8s.io", "selfsubjectaccessreviews", None, None)


def rule_of(permission: Permission) -> dict[str, Any]:
    """A Role's rule that allows just this."""
    rule: dict[str, Any] = {
        "apiGroups": [permission.group],
        "resources": [permission.resource],
        "verbs": [permission.verb],
    }
    return {**rule, "resourceNames": [permission.name]} if permission.name else rule


def kubeconfig(url: str, token: str | None, ca: Path | None) -> str:
    """The text of a kubeconfig for a user with that token; None: for nobody."""
    cluster = {"server": url, **({"certificate-authority": str(ca)} if ca else {})}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token} if token else {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    text: str = yaml.safe_dump(content)
    return text


def is_allowed(user: User, wish: Wish, objects: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether RBAC allows it; `objects` by plural, of the whole cluster."""
    if "system:masters" in user.groups:
        return True
    if wish[:3] == _EVERYBODY[:3] and _CREATORS in user.groups:
        return True
    return any(_covers(rule, wish) for rule in _rules_of(user, wish.namespace, objects))


def _rules_of(
    user: User, namespace: str | None, objects: Mapping[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    bindings = list(objects.get("clusterrolebindings", ()))
    bindings += [
        binding
        for binding in objects.get("rolebindings", ())
        if namespace is not None and binding["metadata"]["namespace"] == namespace
    ]
    for binding in bindings:
        own = binding["metadata"].get("namespace")
        if not any(_is_meant(user, subject, own) for subject in binding.get("subjects") or ()):
            continue
        referred = binding["roleRef"]
        plural = f"{referred['kind'].lower()}s"
        for role in objects.get(plural, ()):
            is_there = plural == "clusterroles" or role["metadata"]["namespace"] == own
            if role["metadata"]["name"] == referred["name"] and is_there:
                yield from role.get("rules") or ()


def _is_meant(user: User, subject: Mapping[str, str], namespace: str | None) -> bool:
    if subject["kind"] == "ServiceAccount":
        account = (subject.get("namespace") or namespace or "", subject["name"])
        return user.service_account == account
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    return subject["name"] == user.name


def _covers(rule: Mapping[str, Any], wish: Wish) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("verbs"), wish.verb)
        and _has(rule.get("apiGroups"), wish.group)
        and (
            _has(rule.get("resources"), wish.resource)
            or f"*/{wish.resource.partition('/')[2]}" in (rule.get("resources") or ())
        )
        and (not names or wish.name in names)
    )


def _has(values: Iterable[str] | None, wanted: str) -> bool:
    return bool({"*", wanted} & set(values or ()))
