"""The main job with mask_rcnn_swin over Swin-T, for a GPU."""

from mmengine.config import read_base

with read_base():
    from ..models.mask_rcnn_swin_tiny import model
    from ..schedules.mask_rcnn_gpu import train
    from .plate_training import cluster, dataset, deploy, evaluate, plates, test

name = "mask_rcnn_tiny"
dataset["draw"].update(
    num_images=12000,
)
evaluate.update(
    keys=["dv_mAP", "EIR"],
)
