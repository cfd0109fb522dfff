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
    # Epochs between validations, and the metric whose best epoch is kept beside the last.
    val_interval=1,
    best_metric="EIR",
    # None: as many as GPUs; without one, two single-threaded processes.
    num_processes=None,
    # Processes that load data for each training process; 0: it loads its own.
    num_workers=0,
    # float32, bfloat16, or auto: bfloat16 where the hardware computes in it.
    precision="auto",
    seed=0,
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
        # Crops without a plate.
        empty_crops_per_image=1,
        # Largest standard deviation of the corners' error, as a share of the plate.
        crop_jitter=0.16,
        strip_jitter=0.04,
    ),
)
