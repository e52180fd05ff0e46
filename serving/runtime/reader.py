"""The reader's model: one pass over a sentence says of every pair of mentions in it which position is expressed."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError

from serving.errors import StancewiseError, describe
from serving.inputs import uncut
from serving.runtime.base import BATCH_TOKENS, token_batches
from serving.runtime.pairs import ANSWERS, Located, PairedSentence, Scores, locate, rectangle

READER_FOLDER = "reader"  # in the model folder
SETTINGS_FILE = "reader.json"


class ReaderSettings(BaseModel):
    """The content of `reader.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_length: int = Field(gt=0, description="tokens that the model reads, the sentence before included")
    shown_above: float = Field(ge=0, le=1, description="least sureness of a position that is shown")
    sure_above: float = Field(ge=0, le=1, description="least sureness of one that is nearly always right")
    run_id: str | None = Field(default=None, description="the MLflow run that trained it")


class PairReader:
    """Says of every pair whether a position is expressed, and which."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        """Load the reader of a model.

        Raises:
            StancewiseError: its files cannot be read.
        """
        from tokenizers import Tokenizer

        from serving.runtime.pair_net import load_net
        from serving.runtime.pytorch import torch_device

        try:
            settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
            self.settings = ReaderSettings.model_validate(settings)
            self.tokenizer = uncut(Tokenizer.from_file(str(folder / "tokenizer.json")))
            self.device = torch_device(device)
            self.net = load_net(folder).to(self.device).eval()
        except ValidationError as error:
            raise StancewiseError(f"{folder / SETTINGS_FILE}: {describe(error)}; fetch the model again") from None
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise StancewiseError(f"{folder}: the reader cannot be read ({error}); fetch the model again") from None
        self.padding = self.net.encoder.config.pad_token_id or 0

    def scores(self, sentences: Sequence[PairedSentence]) -> list[Scores]:
        """Probabilities of `ANSWERS` for the pairs of every sentence, each of shape (pairs, 4).

        A pair that lies beyond the tokens that the model reads expresses nothing.
        """
        nothing = np.eye(1, len(ANSWERS))
        found = [np.repeat(nothing, len(one.pairs), axis=0) for one in sentences]
        located = [locate(one, self.tokenizer, self.settings.max_length) for one in sentences]
        asked = [place for place, one in enumerate(located) if one.places]
        for batch in token_batches([len(located[place].ids) for place in asked], BATCH_TOKENS):
            some = [asked[number] for number in batch]
            answers = iter(self._pass([located[place] for place in some]))
            for place in some:
                for number in located[place].kept:
                    found[place][number] = next(answers)
        return found

    def _pass(self, located: Sequence[Located]) -> Scores:
        import torch

        move = partial(torch.Tensor.to, device=self.device)
        arrays = {name: move(torch.from_numpy(array)) for name, array in rectangle(located, self.padding).items()}
        with torch.inference_mode():
            scores: Scores = self.net(**arrays).double().softmax(dim=1).cpu().numpy()
        return scores
