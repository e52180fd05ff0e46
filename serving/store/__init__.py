"""The model folder, and all that speaks MLflow: versions and their local copies, what a run keeps, the MLflow model."""
