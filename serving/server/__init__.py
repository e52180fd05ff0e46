"""The HTTP server: a queue counted in statements, batches counted in tokens, three protocols, one map of errors."""
