"""The main job with mask_rcnn_swin in small: what a CPU trains in minutes, over large plates."""

from mmengine.config import read_base

with read_base():
    from ..models.mask_rcnn_swin_nano import model
    from ..schedules.mask_rcnn_cpu import train
    from .plate_training import cluster, dataset, deploy, evaluate, plates, test

name = "mask_rcnn_nano"
dataset["draw"].update(
    num_images=400,
    # Characters of a small plate would be a few pixels on the canvas.
    plate_width=[0.5, 0.9],
    num_plates=[0.1, 0.9],
)
evaluate.update(
    keys=["dv_mAP", "EIR"],
)
deploy.update(
    # It shows that everything works; whoever wants plates read takes another model.
    min_eir=0.0,
    # Not tried with this family.
    variants=[],
)
