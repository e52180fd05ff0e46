"""TF-IDF (words and characters) + logistic regression: what any fine-tuned model has to beat."""

from functools import partial
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from serving.errors import StancewiseError
from serving.labels import HEADS, LOGITS, UNLABELLED
from serving.runtime.tfidf import ngrams, save_tfidf
from training.config import BaselineConfig
from training.data.corpus import Corpus
from training.evaluation.metrics import Floats, macro_f1_score

_ABSENT = -30.0  # logit of a label that never occurred in training


def fit_baseline(config: BaselineConfig, train: Corpus, validation: Corpus, work: Path) -> Path:
    """Fit one logistic regression per head on shared n-grams, the penalty chosen on validation; returns the folder.

    Raises:
        StancewiseError: the texts have no n-gram in common.
    """
    vectorizer = TfidfVectorizer(
        analyzer=partial(ngrams, template=config.template), sublinear_tf=True, min_df=config.min_documents
    )
    try:
        features = vectorizer.fit_transform(train.statements())
    except ValueError:
        raise StancewiseError(
            f"min_documents: no n-gram stands in {config.min_documents} of the {len(train.rows):,} training texts; "
            "lower it, or add rows"
        ) from None
    held_out = vectorizer.transform(validation.statements())
    weights = np.zeros((features.shape[1], 6))
    bias = np.zeros(6)
    for head in config.heads:
        labels, truth = train.labels(head), validation.labels(head)
        rows, known = labels != UNLABELLED, truth != UNLABELLED
        candidates = []
        for inverse_penalty in config.inverse_penalty:
            model = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(features[rows], labels[rows])
            score = 0.0
            if known.any():
                score = macro_f1_score(truth[known], model.predict(held_out[known]))
            candidates.append((score, -inverse_penalty, model))
        best = max(candidates, key=lambda candidate: candidate[:2])[2]
        weights[:, LOGITS[head]], bias[LOGITS[head]] = _three_columns(best, len(HEADS[head]))
    folder = work / "model"
    folder.mkdir(parents=True, exist_ok=True)
    save_tfidf(folder, vectorizer.get_feature_names_out().tolist(), vectorizer.idf_, weights, bias)
    return folder


def _three_columns(model: LogisticRegression, count: int) -> tuple[Floats, Floats]:
    """Weights (n-grams, 3) and bias (3,); scikit-learn keeps one row for two classes and none for absent ones."""
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([[0.0], intercepts])
    weights, bias = np.zeros((coefficients.shape[1], count)), np.full(count, _ABSENT)
    weights[:, model.classes_] = coefficients.T
    bias[model.classes_] = intercepts
    return weights, bias
