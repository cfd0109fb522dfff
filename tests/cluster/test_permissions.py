"""What is called is what is allowed, and nothing else: the list, the Roles and the calls agree."""

from __future__ import annotations

import ssl
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.api import connect
from cluster.doctor import check_cluster
from cluster.inference_service import InferenceService
from cluster.permissions import Permission, of_login, of_nodes, of_submitter
from cluster.secret import apply_secret
from cluster.service_ready import wait_ready
from cluster.settings import Cluster, cluster_of
from cluster.tensorboard import open_board
from cluster.volume import ensure_volume
from katib.experiment import COMMITTED
from katib.on_cluster import Experiments
from katib.reading import read_experiment
from pipelines.backends.kubeflow.login import login_of
from pipelines.backends.kubeflow.logs import log_of
from sub_module.engine.config import load_config
from sub_module.errors import ClusterError
from sub_module.settings import Settings
from tests.servers.kserve import KServe
from tests.servers.kubernetes import NAMESPACE, Kubernetes
from tests.servers.kubernetes_access import rule_of

_RUN = "0a1b2c3d-0000-4000-8000-000000000000"
_REVIEW = ("create", "authorization.k8s.io", "selfsubjectaccessreviews", None)


@pytest.fixture
def cluster() -> Cluster:
    # A step that asks for a GPU makes doctor look at the nodes.
    return cluster_of(load_config("mask_rcnn_tiny", {}))


def _allowed(kubernetes: Kubernetes, permissions: tuple[Permission, ...]) -> str:
    """A kubeconfig of an account that may just these."""
    everywhere = [one for one in permissions if one in of_nodes()]
    rules = [rule_of(one) for one in permissions if one not in everywhere]
    kubernetes.allow("submitter", "submitter", *map(rule_of, everywhere), everywhere=True)
    return str(kubernetes.allow("submitter", "submitter", *rules))


def _commands(kubernetes: Kubernetes, cluster: Cluster) -> None:
    """Each command's way through the API, the second time too."""
    settings = Settings()
    api = connect(settings)
    check_cluster(settings, cluster, True, _no_pipelines)
    for value in ("one", "two"):
        ensure_volume(api, cluster.volume)
        assert cluster.secret
        apply_secret(api, cluster.secret, {"PLATEFLOW_DATABASE_PASSWORD": value})
        open_board(api, cluster.volume.name, None)
        service = InferenceService(api, cluster)
        wait_ready(api, service.deploy(f"gs://bucket/{value}"), 5, lambda _: None)
    assert service.roll_back().served.stable.version == "one"
    kubernetes.put(_pod())
    kubernetes.logs[NAMESPACE, "train-pod", "main"] = "epoch 1\n"
    run = SimpleNamespace(display_name="run", run_id=_RUN, run_details=None)
    assert log_of(api, NAMESPACE, run, "train") == "epoch 1\n"
    _search(api)
    kubernetes.put(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "plateflow"}}
    )
    login = login_of(Settings(kfp_service_account="plateflow"), ssl.create_default_context())
    assert login.headers("http://pipelines.example.com")["Authorization"]


def _no_pipelines() -> Any:
    raise ClusterError("not asked here")


def _pod() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "train-pod",
            "labels": {"pipeline/runid": _RUN},
            "annotations": {"workflows.argoproj.io/node-name": "run-x.root.train.executor"},
        },
        "spec": {"containers": [{"name": "main", "image": "image"}]},
    }


def _search(api: Any) -> None:
    data, experiment = read_experiment(COMMITTED)
    experiments = Experiments(api)
    experiments.create(data)
    experiments.create(data)
    experiments.change(experiment.name, {"maxTrialCount": 40})
    assert experiments.trials(experiment) == []
    (found,) = experiments.all()
    experiments.delete(found)


def test_an_account_with_just_these_may_do_everything(
    kubernetes: Kubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = (
        *of_submitter(NAMESPACE, cluster.secret), *of_login("plateflow"), *of_nodes()
    )  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", _allowed(kubernetes, wanted))
    KServe(kubernetes, num_reads=1)
    _commands(kubernetes, cluster)
    assert [call for call in kubernetes.calls if call.status == 403] == []
    named = {(one.verb, one.group, one.resource): one.name for one in wanted}
    called = {
        (
            call.verb,
            call.group,
            call.resource,
            # A name counts only where the permission is for one.
            call.name if named.get(call[:3]) else None,
        )
        for call in kubernetes.calls
    }
    listed = {(one.verb, one.group, one.resource, one.name) for one in wanted}
    assert called - {_REVIEW} == listed
