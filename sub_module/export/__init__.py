"""Export to ONNX, and the one runtime that runs it."""
