"""What Plateflow asks of Kubernetes: volume, secret, TensorBoard, and whether a cluster will do."""
