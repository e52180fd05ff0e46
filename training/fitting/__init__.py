"""From rows to a fitted model: encoders, batches, the loss, the training loop, the baseline."""
