"""From tokens to logits: PyTorch, int8 on OpenVINO, a linear model on numpy."""
