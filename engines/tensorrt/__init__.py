"""TensorRT: from a model to a plan that runs on one kind of GPU."""
