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
deploy.update(
    # Not tried with this family.
    variants=[],
)

_gpu = dict(
    image="plateflow-python:0.1.0-cuda",
    gpus=1,
    # What most clusters keep other pods away from their GPUs with.
    tolerations=[dict(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")],
)
# As many cores as `train.num_workers`, and the images that they hand over.
cluster["components"]["train"].update(
    **_gpu, cpu_request="12", memory_request="32Gi", shared_memory="16Gi"
)
cluster["components"]["evaluate"].update(**_gpu, cpu_request="4", memory_request="16Gi")
cluster["components"]["test"].update(**_gpu, cpu_request="4", memory_request="16Gi")
# What is deployed runs on a CPU, and is checked there.
cluster["components"]["deploy"].update(cpu_request="4", memory_request="16Gi")
# It draws and writes 12,000 images.
cluster["components"]["record"].update(cpu_request="4", memory_request="8Gi")
