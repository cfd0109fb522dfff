"""Who asks the model server: `predict` and the demo page."""

# Where `serve` listens, unless another is named.
url = "http://127.0.0.1:8080"

# As in `configs/serving/predictor.py`.
model_name = "plateflow"

# The plates that the server is to read: the name of a plate standard; None: as it was started.
standard = None

# Requests on their way at the same time, each with one image.
concurrent = 8

# An image whose request would be larger is sent as a smaller JPEG; its readings come back in pixels
# of the image as it is. Gateways before a server often have such a limit.
max_payload_megabytes = 6.0
jpeg_quality = 90

# Of one request, from the first byte to the last of its answer.
answer_seconds = 60.0
# How long an image is sent again while the server has no room (503) or is away.
patience_seconds = 60.0
