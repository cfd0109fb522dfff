"""mask_rcnn_swin: finds plates, text groups and characters as instances with masks."""
