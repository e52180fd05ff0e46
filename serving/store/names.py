"""Names of models and aliases that the MLflow registry takes: asked before a training, not after it."""

from collections.abc import Callable


def model_name(name: str) -> str:
    """The name of a registered model.

    Raises:
        ValueError: MLflow refuses it, or its URI would be read as a name with an alias.
    """
    from mlflow.utils.validation import _validate_model_name

    _ask(name, _validate_model_name)
    if "@" in name:
        raise ValueError(f"Invalid model name '{name}'. '@' stands before an alias; choose another name")
    return name


def alias_name(alias: str) -> str:
    """An alias of a version.

    Raises:
        ValueError: MLflow refuses it.
    """
    from mlflow.utils.validation import _validate_model_alias_name, _validate_model_alias_name_reserved

    _ask(alias, _validate_model_alias_name)
    _ask(alias, _validate_model_alias_name_reserved)
    return alias


def _ask(name: str, validate: Callable[[str], None]) -> None:
    from mlflow.exceptions import MlflowException

    try:
        validate(name)
    except MlflowException as error:
        raise ValueError(f"{error.message.rstrip('.')}; choose another") from None
