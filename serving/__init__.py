"""Everything that inference needs: load a tracked model, label statements.

>>> from serving import StanceClassifier, Statement
>>> classifier = StanceClassifier.load("models:/stance@champion")
>>> [prediction] = classifier.predict([Statement(text="...", speaker="...", target="...")])
>>> prediction.stance.label, prediction.stance.probability, prediction.abstained
"""

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.statement import HeadPrediction, Prediction, Statement

__all__ = ["HeadPrediction", "Prediction", "StanceClassifier", "StancewiseError", "Statement"]
