"""A drawn data set for models that are to read photographs though they were trained on drawings."""

from mmengine.config import read_base

with read_base():
    from .drawn import *

dataset["draw"].update(
    image_sizes=[[640, 480], [800, 600], [480, 640], [960, 720]],
    num_plates=[0.08, 0.50, 0.24, 0.12, 0.06],
    plate_width=[0.07, 0.6],
    # What is narrower a person cannot read either.
    min_width_px=48,
    max_yaw=45.0,
    max_pitch=26.0,
    max_roll=20.0,
    mild=0.8,
    distance=[3.5, 14.0],
    layouts=dict(one_line=0.7, captioned=0.2, two_line=0.1),
    strokes=0.8,
    cars=0.75,
    exposure=[0.6, 1.15],
    # All in `effects` here, where each chooses by itself.
    shadow=0.0,
    blur=0.0,
    noise=0.0,
    jpeg_quality=[80, 96],
    max_patches=2,
    max_distractors=1,
    hard_negatives=5,
    # Where effects are more or stronger, models read photographs worse: a person can read all this.
    clean=0.25,
    effects=dict(
        dirt=0.12,
        shadow=0.30,
        glare=0.10,
        rain=0.05,
        haze=0.08,
        overexposure=0.10,
        low_light=0.15,
        tone=0.30,
        colour_cast=0.20,
        defocus=0.30,
        motion=0.12,
        low_resolution=0.20,
        noise=0.40,
        sharpening=0.20,
        jpeg=0.20,
    ),
)
