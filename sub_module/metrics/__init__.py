"""How good a model is: mAP, dv_mAP and the exact inference rate."""
