"""A tracking server that asks for name and password: what its refusals mean."""

from serving.errors import StancewiseError


def refused(error: Exception) -> StancewiseError | None:
    """What a user is told when MLflow's error is a refusal; None for every other error."""
    if not type(error).__module__.startswith("mlflow"):  # MLflow may not even be installed
        return None
    import mlflow
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return None
    store = mlflow.get_tracking_uri()
    if error.error_code == "UNAUTHENTICATED":
        return StancewiseError(
            f"MLflow store {store}: name or password is wrong or missing; "
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    if error.error_code == "PERMISSION_DENIED":
        return StancewiseError(
            f"MLflow store {store}: you are not allowed to do this; ask the administrator of the store for "
            "permission (docs/team.md), or set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD "
            "of an account that is allowed to"
        )
    return None
