"""The MLflow model, from code: MLflow runs this file at load, nothing is unpickled."""

from typing import Any

import mlflow
import pandas as pd

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.rows.check import refuse_nearly, statement_of
from serving.rows.read import Row
from serving.statement import QUESTION_COLUMNS, Prediction, Statement


class StanceModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A DataFrame with `text` and optional `speaker` and `target` in, labels and probabilities out."""

    def load_context(self, context: Any) -> None:
        """Load the model folder that lies among the artifacts; `any_language` of the model config is that of `load`."""
        any_language = bool((context.model_config or {}).get("any_language"))
        self.classifier = StanceClassifier.load(context.artifacts["model"], any_language=any_language)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per row of `model_input`: stance, sentiment, both with probabilities, abstained, language.

        Raises:
            StancewiseError: a row without text or with a name that is too long, by its number from 0; a column that is
                nearly one of the three.
        """
        refuse_nearly("the DataFrame", map(str, model_input.columns), QUESTION_COLUMNS)
        columns = [column for column in QUESTION_COLUMNS if column in model_input]
        rows = model_input[columns].astype(object).where(model_input[columns].notna(), None)
        statements = [_statement(number, row) for number, row in enumerate(rows.to_dict("records"))]
        predictions = self.classifier.predict(statements)
        answers = [prediction.row() for prediction in predictions]
        return pd.DataFrame(
            answers, columns=list(Prediction.COLUMNS), index=model_input.index
        )  # so that both can be joined


def _statement(number: int, row: dict[Any, Any]) -> Statement:
    result = statement_of(Row(number, row))
    if isinstance(result, str):
        raise StancewiseError(f"row {number}: {result}")
    return result


mlflow.models.set_model(StanceModel())
