"""The benchmark of the model server: `make bench-serving`."""

# Drawn over photographs and with fonts that training never saw; every server gets the same ones.
images = 100
seed = 7

# The serving cookbook's protocol: so many calls one after the other, all at once, and at random
# times over a window; each repeated. Between repetitions the servers take turns.
calls = 100
repetitions = 10
window_seconds = 1.5
# No repetition begins after so long, on a machine that is slower than was thought.
minutes = 7.5

# Saturation: so many requests are always on their way; once a repetition.
# More than any of the servers reads together.
connections = 32
saturated_seconds = 0.8
# Then, once a repetition, open loop (see below) at half of that: evenly, then at random times.
half_load_seconds = 0.8

# Open loop: requests come at random times (Poisson) at a rate, whatever became of the ones before.
# Rates that a server cannot keep up with are left out for it.
rates_per_second = [20.0, 40.0, 80.0, 160.0]
rate_seconds = 2.0

# Requests of `--soak`, while which the memory of one worker is to stay flat.
soak_requests = 50000

# `python -m serving.bench.autoscaling`: a simulation with what was measured.
autoscaling = dict(
    max_replicas=5,
    # Scheduling, an image that is on the node, probes: added to the server's own start.
    pod_seconds=5.0,
    # Of serving/manifests/components: images that wait or are read, a replica.
    images_per_replica=8.0,
    # How often Prometheus looks at the replicas.
    scrape_seconds=5.0,
    # Of a HorizontalPodAutoscaler on CPU: what it aims at, and the windows that metrics-server
    # takes utilisation over (its default, and that of many clusters).
    cpu_target=0.8,
    cpu_window_seconds=[15.0, 60.0],
    # How often Kubernetes decides.
    sync_seconds=15.0,
    # Bursts of `burst` requests come every `every_seconds`, for `for_seconds`. Their clients ask
    # again as configs/serving/client.py says.
    scenarios=dict(
        one_burst=dict(burst=100, every_seconds=1.0, for_seconds=1.0),
        bursts_for_a_minute=dict(burst=100, every_seconds=0.25, for_seconds=60.0),
        # A model such as the cookbook's Mask R-CNN, 0.57 s an image on a CPU.
        slow_model=dict(burst=100, every_seconds=1.0, for_seconds=1.0, images_per_second=1.75),
    ),
)
