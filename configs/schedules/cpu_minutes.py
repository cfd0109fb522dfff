"""Training of some minutes on two CPU cores."""

train = dict(
    max_epochs=6,
    # Images a step, over all processes.
    batch_size=16,
    # AdamW.
    lr=2e-3,
    weight_decay=0.02,
    max_grad_norm=5.0,
    # Steps whose gradients are added up before the weights move.
    accumulate=1,
    # Steps from first_lr to lr, then a cosine to final_lr; both as shares of lr.
    warm_up_iters=100,
    first_lr=0.05,
    final_lr=0.01,
    # So many epochs, or iterations, between validations; the last one ends with a validation too.
    val_interval=1,
    # epoch or iteration; within an epoch, checkpoints are saved as often as validated.
    val_unit="epoch",
    # The metric whose best checkpoint is kept beside the last: EIR, mAP or, with masks, dv_mAP.
    best_metric="EIR",
    # Validation images that are drawn with their readings, for TensorBoard and `pictures/`.
    num_pictures=4,
    # Shares of the memory (the machine's, the container's or the GPU's, whichever is fullest):
    # above the first a validation is skipped; above the second training saves a checkpoint and
    # fails, and the same command goes on from there. 1.0: never.
    memory=dict(skip_validation=0.90, stop=0.95),
    # A checkpoint to start from, of the same model and plate standard; None: random weights.
    weights=None,
    # A file of pretrained backbone weights to start from, if the model takes one; None: random.
    backbone_weights=None,
    # None: as many as GPUs; without one, two single-threaded processes.
    num_processes=None,
    # Processes that load data for each training process; 0: it loads its own.
    num_workers=0,
    # float32, bfloat16, float16 (on a GPU), or auto: bfloat16 where the hardware computes in it.
    precision="auto",
    seed=0,
    # Whether the same seed gives the same weights to the last bit, on the same machine with as many
    # processes and no interruption; slower on a GPU.
    deterministic=False,
    # Steps between log lines.
    log_interval=20,
    samples=dict(
        # How much the detector's view is enlarged, lowest and highest, and moved, as a share.
        zoom=[0.8, 1.25],
        shift=0.15,
        # How often the detector's view is mirrored.
        mirror=0.5,
        # Looks at each plate by the refiner and at each row by the reader, each time anew.
        crops_per_plate=2,
        strips_per_row=2,
        # Looks at places without a plate, for each.
        empty_crops_per_image=1,
        empty_strips_per_image=0,
        # Looks at so many of what is labelled `no_plate`, for each.
        no_plates_per_image=2,
        # Such a place is the one of so many random ones where brightness changes most from left to
        # right, as it does in text.
        empty_tries=1,
        # How often each of them looks at a plate upside down or mirrored too, as at no plate.
        turned_crops=0.0,
        turned_strips=0.0,
        # Largest standard deviation of the corners' error, as a share of the plate; [x, y] for each
        # direction.
        crop_jitter=0.16,
        strip_jitter=0.04,
        # Lowest and highest share by which a plate is enlarged on each side for the reader's looks.
        strip_margin=[0.0, 0.0],
        # Lowest and highest exponent of the brightness of the reader's looks.
        strip_gamma=[1.0, 1.0],
    ),
)
