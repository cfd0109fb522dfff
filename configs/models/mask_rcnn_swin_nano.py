"""mask_rcnn_swin in small: 3.5 million parameters, a step of two images in half a second on a CPU.

It shows that everything works, and learns to read large plates; the model to use is `tiny`, whose
file explains each number.
"""

from mmengine.config import read_base

with read_base():
    from .mask_rcnn_swin_tiny import model

model.update(
    input_size=[320, 320],
    embed_dim=32,
    depths=[2, 2, 2, 2],
    num_heads=[2, 4, 8, 16],
    drop_path=0.0,
    fpn_channels=64,
)
model["anchors"].update(
    # Characters of 5 to 30 pixels, groups, boards.
    sizes=[[8, 14], [20, 32], [48, 80], [128, 224]],
)
model["proposals"].update(
    samples=128,
    before_nms_train=200,
    after_nms_train=150,
    before_nms_test=200,
    after_nms_test=100,
)
model["box_head"].update(num_convs=2, width=256, samples=96, positive_share=0.4)
model["mask_head"].update(channels=64, num_convs=2)
model["detections"].update(max_number=60)
# Trained for minutes it is in doubt about much that it reads rightly.
model["reading"].update(min_score=0.1)
