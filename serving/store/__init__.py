"""All that speaks MLflow: the model folder, versions and their local copies, what a run keeps, the MLflow model."""
