"""The main job: platenet, trained on this machine over a drawn set of the first plate standard."""

from mmengine.config import read_base

with read_base():
    from ..cluster.kubeflow import cluster
    from ..datasets.drawn import *
    from ..models.platenet import *
    from ..plates.kr import *
    from ..schedules.cpu_minutes import *

# Of the pipeline in the registry, when none is given.
name = "plate_training"

evaluate = dict(
    # The candidate with the highest value of the first key is kept; the next keys break ties.
    keys=["EIR", "mAP"],
    # Further checkpoints to compare with the run's own best and last: files or patterns, of any
    # model family, such as "searches/tune/*/best.pth", or "runs/{run}/train/epoch_*.pth" for the
    # epochs that this run keeps. Relative to PLATEFLOW_HOME, the volume that all steps share; a
    # file elsewhere is refused: copy it there.
    candidates=[],
    # How many of the images that the best candidate read worst stand in the report.
    num_hardest=12,
    # Whether the deployed model's scores are corrected to how often such readings were right on the
    # validation images.
    calibrate=False,
)

test = dict(
    # Annotated pictures written beside the readings, wrong readings first.
    num_pictures=24,
)

deploy = dict(
    # A model with a lower EIR on the test images is not deployed.
    min_eir=0.5,
    # The share of validation images that the exported model may read otherwise than the checkpoint
    # does: both compute the same to six digits, which still turns over a reading in great doubt.
    max_different=0.01,
    # Further precisions to export, to serve with: "int8" for CPUs, "float16" for GPUs.
    variants=["int8"],
    # A variant whose EIR on the validation images is lower than float32's by more is left out.
    max_eir_loss=0.005,
    # By how much its EIR may lie below that of the deployed model, on the same images.
    tolerance=0.01,
)
