"""A drawn data set: plates on photographs, and how it is split."""

dataset = dict(
    # A version of an annotation set, such as "v3", from the data set repository; it knows its
    # category. None: the annotations below.
    version=None,
    # A directory of labelme annotations; None: draw one first, as `draw` says. What can be used of
    # either becomes a version itself, unless the same bytes are one already.
    annotations=None,
    # What new versions are versions of.
    category="board_dataset",
    draw=dict(
        num_images=4000,
        seed=1,
        # A directory of photographs; None: those in scikit-image's wheel.
        photos=None,
        # (width, height) in pixels, one drawn for each image.
        image_sizes=[[640, 480]],
        # Shares of images with 0, 1, 2, ... plates.
        num_plates=[0.08, 0.62, 0.30],
        # Apparent width of a plate, as a share of the image's width.
        plate_width=[0.125, 0.42],
        # No plate is narrower than this, in pixels.
        min_width_px=24,
        # Largest turn of a plate about the camera's three axes, in degrees.
        max_yaw=38.0,
        max_pitch=24.0,
        max_roll=16.0,
        # Share of plates that turn at most half as far.
        mild=0.0,
        # Distance of the camera, nearest and farthest, in widths of the plate: nearer ones show
        # more perspective.
        distance=[2.0, 6.0],
        # How often each of the standard's layouts is drawn, by name; None: all alike.
        layouts=None,
        # Font files, looked up in matplotlib's wheel; an absolute path works too.
        fonts=[
            "DejaVuSans-Bold.ttf",
            "DejaVuSansMono-Bold.ttf",
            "DejaVuSans.ttf",
            "DejaVuSansMono.ttf",
            "DejaVuSerif-Bold.ttf",
            "STIXGeneralBol.ttf",
            "cmb10.ttf",
        ],
        # Share of plates set in a stroke face, a new one for each plate, in place of a font.
        strokes=0.0,
        # Share of plates that are on a drawn car.
        cars=0.0,
        # Light on a plate, least and most; 1 leaves it as it is painted.
        exposure=[0.5, 1.1],
        # How often each effect is applied, from 0 to 1.
        shadow=0.35,
        blur=0.45,
        noise=0.7,
        # Largest blur (standard deviation) as a share of a character's height.
        max_blur=0.055,
        # Largest noise, in grey levels.
        max_noise=14.0,
        # JPEG quality, lowest and highest.
        jpeg_quality=[45, 95],
        # Pieces of another photograph, for more variety than there are photographs: at most this
        # many an image.
        max_patches=4,
        # Signs and words that are no plate: at most this many an image.
        max_distractors=3,
        # What is easily taken for a plate (window gaps, lamps, grilles, signs, captions burnt in,
        # mirrored plates, plates that the border cuts): at most this many an image.
        hard_negatives=0,
        # Share of images that none of the effects touches.
        clean=0.0,
        # Further steps of light, weather and camera, by name (`dataset_tools.draw.scenes.effects`
        # has the names), and how often each is applied. Each chooses by itself: one more or fewer
        # changes nothing else in an image.
        effects=dict(),
    ),
    # Shares of the images when the annotation set has no train/, val/ and test/ of its own.
    # A drawn set follows them too, each part over photographs of its own.
    split=dict(train=0.82, val=0.08, test=0.10),
)
