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
    # A step goes on where it was, so a lost node costs minutes. Argo takes `within_seconds`, here a
    # week, from the start of the first attempt: then it tries no more, and ends a second attempt.
    retries=dict(count=2, backoff_seconds=10, factor=2, within_seconds=604800),
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
    # Where the images are, such as registry.example.com/team: put before names without a slash.
    registry=None,
    # The Kubernetes secret of `secrets apply`: its keys are environment variables of every step.
    secret="plateflow",
    # Names of secrets that open a private image registry.
    image_pull_secrets=[],
    # Of the steps' pods; None: the one that Kubeflow Pipelines gives them.
    service_account=None,
    # An archive of code that `--code volume` packs is at most so large.
    max_code_megabytes=50.0,
    components=dict(
        # Only with `--code volume`.
        fetch_code=dict(_step, cpu_request="100m", memory_request="512Mi"),
        record=dict(**_step),
        train=dict(_step, cpu_request="2", memory_request="8Gi", shared_memory="2Gi"),
        evaluate=dict(**_step),
        test=dict(**_step),
        deploy=dict(**_step),
        report=dict(_step, cpu_request="500m", memory_request="2Gi"),
    ),
    # The model server, a KServe InferenceService; None: there is none.
    serving=dict(
        # The service's, and the model's in its URLs: /v1/models/<name>:predict.
        name="plateflow",
        # From serving/predictor/Dockerfile; a GPU needs an image with onnxruntime's CUDA.
        image="plateflow-serving:0.1.0",
        # Knative scales on requests in progress, down to none, and shares traffic with a canary;
        # Standard (RawDeployment, once) needs plain Kubernetes, and KServe 0.20 for a canary. A
        # service cannot change it.
        mode="Knative",
        # Whether a run's step `deploy` puts its model in service; else the command `deploy` does.
        from_runs=False,
        # Per cent of the traffic for the model of a run, until `deploy --promote` or `--rollback`;
        # None: all.
        canary_percent=None,
        # Where the pods get the model from: the volume, which ReadWriteOnce holds on one node, or
        # the store, which has to be gs:// then.
        storage="volume",
        # With the key gcloud-application-credentials.json, which opens a private gs://; None: what
        # the service account has.
        storage_secret=None,
        # Of the pods; None: the namespace's default.
        service_account=None,
        min_replicas=1,
        max_replicas=5,
        # What is aimed at: with Knative, requests in progress of a replica; with Standard, images
        # that wait or are read there (the metric plateflow_queued_images).
        images_per_replica=8,
        # With Standard: KServe lets KEDA ask Prometheus; external: serving/manifests/components
        # has a ScaledObject and a HorizontalPodAutoscaler, to be applied by hand.
        autoscaler="keda",
        prometheus="http://prometheus-server.monitoring.svc.cluster.local",
        # Of a request, at most.
        timeout_seconds=60,
        # For a new model to be ready, in a run; `deploy --timeout` has its own.
        wait_seconds=600,
        # Keys of configs/serving/predictor.py, such as {"engine.runtime": "openvino"}.
        predictor={},
        # More variables of the server, such as OTEL_EXPORTER_OTLP_ENDPOINT.
        environment={},
        # As of a step, but None is as the other: KServe has limits of its own (1 CPU, 2Gi) for
        # what is missing. The server has as many threads as the limit has processors.
        cpu_request="2",
        cpu_limit="2",
        memory_request="1Gi",
        memory_limit="2Gi",
        gpu_type="nvidia.com/gpu",
        gpus=0,
        node_selector={},
        tolerations=[],
    ),
)
