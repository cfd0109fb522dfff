"""The detector on NVIDIA's Triton Inference Server: its model repository, and how to start it."""
