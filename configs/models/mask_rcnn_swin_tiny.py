"""mask_rcnn_swin over Swin-T: the model for a GPU, 48.8 million parameters."""

model = dict(
    # The name in Plateflow's model registry; `plates` is filled in from the plate standard.
    type="MaskRCNNSwin",
    # (width, height) of the canvas that an image is fitted to, multiples of 32.
    input_size=[1024, 768],
    # Channels of the first stage of the Swin transformer; each stage doubles them.
    embed_dim=96,
    # Blocks of each stage, and the attention heads of a block.
    depths=[2, 2, 6, 2],
    num_heads=[3, 6, 12, 24],
    # Side of the windows that attention works in. ImageNet weights fit 7 only.
    swin_window_size=7,
    # Width of a block's hidden layer over its channels. ImageNet weights fit 4 only.
    swin_mlp_ratio=4.0,
    # Dropout in attention's output and the hidden layer.
    swin_drop_rate=0.0,
    # How often the deepest block is left out in training; shallower ones less, in proportion.
    drop_path=0.1,
    # Channels of the feature pyramid, a multiple of 8.
    fpn_channels=256,
    anchors=dict(
        # Sides in pixels of the canvas, for the levels of stride 4, 8, 16 and 32: characters and
        # groups of far plates first, boards of near ones last.
        sizes=[[12, 20], [32, 48], [80, 128], [224, 384]],
        # Height over width: boards and groups lie, characters stand.
        ratios=[0.25, 0.5, 1.0, 2.0],
    ),
    proposals=dict(
        # IoU with an instance from which an anchor is one, and below which it is background.
        positive_iou=0.6,
        negative_iou=0.3,
        # Anchors of an image that the losses look at.
        samples=256,
        # Boxes of a level before, and of all levels after, overlapping ones were left out.
        before_nms_train=2000,
        after_nms_train=1000,
        before_nms_test=1000,
        after_nms_test=300,
        # IoU from which two overlap.
        overlap=0.7,
    ),
    box_head=dict(
        # Convolutions, then one hidden layer of some width.
        num_convs=4,
        width=1024,
        # Proposals of an image that the losses look at, and how many of them show an instance.
        samples=256,
        positive_share=0.3,
    ),
    mask_head=dict(
        channels=256,
        num_convs=4,
    ),
    detections=dict(
        # Instances below this score are not given; mAP wants many, a reading the best.
        min_score=0.05,
        # IoU from which two of the same class are one.
        overlap=0.5,
        # Of an image: two plates have some twenty.
        max_number=100,
    ),
    reading=dict(
        # Instances below this score take no part in a reading.
        min_score=0.3,
        # Of two boards, or two characters of a plate, that overlap more, the better one stays.
        overlap=0.5,
    ),
    loss_weights=dict(
        # Whether an anchor is an instance, and where its box is.
        loss_objectness=1.0,
        loss_rpn_box_reg=1.0,
        # Of which class a proposal is, and where its box is.
        loss_classifier=1.0,
        loss_box_reg=1.0,
        # Which pixels of its box it covers.
        loss_mask=1.0,
    ),
)
