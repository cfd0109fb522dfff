"""Export to ONNX, in fewer bits too, and the runtimes that read with it."""
