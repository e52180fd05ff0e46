"""The MLflow model, from code: MLflow runs this file at load, nothing is unpickled."""

from typing import Any

import mlflow
import pandas as pd

from serving.classifier import StanceClassifier
from serving.statement import Statement

COLUMNS = ("text", "speaker", "target")


class StanceModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A DataFrame with `text` and optional `speaker` and `target` in, labels and probabilities out."""

    def load_context(self, context: Any) -> None:
        """Load the model folder that lies among the artifacts."""
        self.classifier = StanceClassifier.load(context.artifacts["model"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per row of `model_input`: stance, sentiment, both with probabilities, and abstained."""
        columns = [column for column in COLUMNS if column in model_input]
        rows = model_input[columns].astype(object).where(model_input[columns].notna(), None)
        statements = [Statement.model_validate(row) for row in rows.to_dict("records")]
        return pd.DataFrame([prediction.row() for prediction in self.classifier.predict(statements)])


mlflow.models.set_model(StanceModel())
