"""The model server: `serve`, and the container of the InferenceService."""

# In the URLs of the open inference protocols: /v1/models/<name>:predict, /v2/models/<name>/infer.
model_name = "plateflow"

# Where it listens; a container listens on 0.0.0.0. Port 0: any that is free; grpc_port None: no
# gRPC.
host = "127.0.0.1"
http_port = 8080
grpc_port = 8081

# Processes that share the ports. One per container, as a cluster adds containers.
workers = 1

# The plates to read: the name of a plate standard of configs/plates, or a file with one; None:
# those that the model was trained for. Requests may name another that the model can read.
standard = None

engine = dict(
    # onnxruntime or openvino on a CPU, onnxruntime-cuda or torch on a GPU.
    runtime="onnxruntime",
    # float32, a variant that the model's directory has, such as int8, or auto: the fastest of them,
    # each of which was checked to read as well when it was made.
    precision="auto",
    # Images that one process reads at a time, each in a thread of its own; None: one a core that
    # the container may use, shared among the workers.
    readers=None,
    # Of each graph.
    threads_per_reader=1,
)

batching = dict(
    # Images of waiting requests that are read together, at most.
    max_images=4,
    # How long a reader waits for more than it has.
    max_wait_ms=0.0,
)

limits = dict(
    # Images that wait or are read; a request that does not fit gets 503 and Retry-After.
    queued_images=256,
    retry_after_seconds=1.0,
    # A request that is not answered in time gets 504 and is not read; a client may ask for less.
    deadline_seconds=30.0,
    # A request whose head (its headers) has not come by then is given up, with 408.
    head_seconds=10.0,
    # A body that has not come whole by then is given up, with 408.
    body_seconds=20.0,
    body_megabytes=32.0,
    # Of what has come of the bodies of all requests, HTTP and gRPC, so that memory has a bound; 503
    # beyond it. JSON with Base64 in it takes three times its size.
    all_bodies_megabytes=128.0,
    # gRPC takes a message in whole, several times over, before it can be counted: so it takes
    # smaller ones, and only so many at a time (RESOURCE_EXHAUSTED beyond).
    grpc_megabytes=8.0,
    grpc_calls=64,
    images_per_request=64,
    # Of an image as its header says it, before anything is decoded.
    megapixels=50.0,
)

# A JPEG whose longer side stays at least so long at 1/2, 1/4 or 1/8 is decoded at that scale;
# images of other kinds are shrunk so once they are decoded. None: always whole.
decode_pixels = 1600

# A line in the log for each request for readings, with its id, status and times. Refusals (but for
# 503) and faults always have one.
log_requests = False

# After SIGTERM: no new requests, and so long for those that are there.
drain_seconds = 25.0
