"""The demo page; whom it asks, and how, stands in `client.py`."""

# Where it listens; a container listens on 0.0.0.0. Port 0: any that is free.
host = "127.0.0.1"
port = 7860

# Of what is dropped on the page, image or video.
upload_megabytes = 100.0
# Visitors that are served at the same time; others wait in line.
visitors = 4

video = dict(
    # Of each second so many frames are read, and of a video only its beginning.
    frames_per_second=4.0,
    max_seconds=15.0,
    # Of a frame, as the video says it.
    max_megapixels=10.0,
)

# The longer side of a picture on the page, in pixels.
picture_pixels = 1280
# A folder with images to try, shown below the drop zone where it is there.
examples = "docs/samples"
