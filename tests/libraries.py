"""What the commands of `tests/warm.py` find loaded: the libraries that take long, and of ours what quietens them."""

import os

from serving.cli import QUIET

os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})

import datasets  # noqa: F401
import matplotlib.figure  # noqa: F401
import mlflow.pyfunc
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import sklearn.linear_model  # noqa: F401
import spacy  # noqa: F401
import torch  # noqa: F401
import transformers.models.bert.modeling_bert
import transformers.trainer  # noqa: F401
