"""The int8 version of a model: made, measured beside PyTorch, logged and registered."""
