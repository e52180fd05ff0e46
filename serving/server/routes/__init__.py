"""The protocols: our own (v1, article), MLflow's (invocations), text-embeddings-inference's (tei)."""
