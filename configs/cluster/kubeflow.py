"""How a pipeline runs on a Kubernetes cluster; `--backend local` does not read it."""

# One image for all steps, from components/Dockerfile: CPU, and with `-cuda` for GPUs.
_step = dict(
    image="plateflow-python:0.1.0",
    # As Kubernetes writes them; None: no request or limit.
    cpu_request="1",
    cpu_limit=None,
    memory_request="4Gi",
    memory_limit=None,
    gpu_type="nvidia.com/gpu",
    gpus=0,
    # Labels of the nodes that the step may run on.
    node_selector={},
    # dict(key=..., operator=..., value=..., effect=..., seconds=...) each.
    tolerations=[],
    # Of /dev/shm, where processes that load data hand it over; None: a container's 64 MiB.
    shared_memory=None,
    # A step goes on where it was, so a lost node costs minutes.
    retries=dict(count=2, backoff_seconds=30, factor=2.0, max_seconds=600),
    # Kubeflow's cache knows nothing of what is on the volume; a step that is done says so itself.
    caching=False,
    timeout_seconds=None,
)

cluster = dict(
    # The claim that all steps, and the trials of searches, share; made when it is not there.
    volume=dict(
        name="plateflow",
        size="50Gi",
        # Steps follow each other, so one node at a time would do for a run; two runs need Many.
        access_mode="ReadWriteMany",
        # None: the cluster's default.
        storage_class=None,
        mount_path="/mnt/plateflow",
    ),
    # The Kubernetes secret of `secrets apply`: its keys are environment variables of every step.
    secret="plateflow",
    # Names of secrets that open a private image registry.
    image_pull_secrets=[],
    # Of the steps' pods; None: the one that Kubeflow Pipelines gives them.
    service_account=None,
    components=dict(
        record=dict(**_step),
        train=dict(_step, cpu_request="2", memory_request="8Gi", shared_memory="2Gi"),
        evaluate=dict(**_step),
        test=dict(**_step),
        deploy=dict(**_step),
    ),
)
