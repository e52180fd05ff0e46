"""What the commands of `tests/warm.py` find loaded: the libraries that take long, and nothing of ours."""

import os
import sys
from importlib import import_module

from serving.cli import QUIET

LIBRARIES = (
    "datasets",
    "matplotlib.figure",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "sklearn.linear_model",
    "spacy",
    "torch",
    "transformers.models.bert.modeling_bert",
    "transformers.trainer",
)

os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
for library in LIBRARIES:
    import_module(library)
for module in [one for one in sys.modules if one.partition(".")[0] in ("serving", "training")]:
    del sys.modules[module]  # a command's console takes its width from the command's own environment
