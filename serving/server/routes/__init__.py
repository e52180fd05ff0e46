"""The protocols: our own (v1, article, trend, correction), MLflow's (invocations), text-embeddings-inference's."""
