"""The reader's model: one pass over a sentence says of every pair of mentions in it which position is expressed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError

from serving.errors import StancewiseError, describe
from serving.inputs import uncut
from serving.runtime.base import BATCH_TOKENS, token_batches
from serving.runtime.pairs import ANSWERS, PairedSentence, Scores, locate, rectangle

if TYPE_CHECKING:
    from tokenizers import Tokenizer

READER_FOLDER = "reader"  # in the model folder
SETTINGS_FILE = "reader.json"
PAIRS_PER_TOKEN = 4  # so many take about as much memory in a pass as a token does

Arrays = Mapping[str, npt.NDArray[Any]]  # those of `rectangle`


class Limits(BaseModel):
    """How sure a reader must be of a position."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shown_above: float = Field(ge=0, le=1, description="least sureness of a position that is shown")
    neutral_above: float | None = Field(
        default=None, ge=0, le=1, description="the same of a declared neutrality, which is rarer; None: as the others"
    )
    sure_above: float = Field(ge=0, le=1, description="least sureness of one that is nearly always right")

    def least(self, stance: str) -> float:
        """How sure a position of this stance must be to be shown."""
        own = self.neutral_above if stance == "neutrality" else None
        return self.shown_above if own is None else own


class ReaderSettings(Limits):
    """The content of `reader.json`; the limits are those of English."""

    max_length: int = Field(gt=0, description="tokens that the model reads, the sentence before included")
    languages: tuple[str, ...] = Field(default=("en",), description="ISO 639 codes of the reports it learned from")
    unparsed: Limits | None = Field(default=None, description="in languages without a parser")
    run_id: str | None = Field(default=None, description="the MLflow run that trained it")


@dataclass(frozen=True)
class PairEncoder:
    """All of a reader but its net: makes the arrays of its passes. It can be pickled, for another process."""

    tokenizer: "Tokenizer"
    settings: ReaderSettings
    padding: int  # id of the token that fills a row up

    def scores(self, sentences: Sequence[PairedSentence], run: Callable[[Arrays], Scores]) -> list[Scores]:
        """Probabilities of `ANSWERS` for the pairs of every sentence, each of shape (pairs, 4).

        A pair that lies beyond the tokens that the model reads expresses nothing.

        Args:
            sentences: with their pairs.
            run: one pass of the net, as `PairReader.run`.
        """
        nothing = np.eye(1, len(ANSWERS))
        found = [np.repeat(nothing, len(one.pairs), axis=0) for one in sentences]
        located = [locate(one, self.tokenizer, self.settings.max_length) for one in sentences]
        asked = [place for place, one in enumerate(located) if one.places]
        # A sentence may be nothing but names: its pairs then are what takes the memory.
        costs = [max(len(located[place].ids), len(located[place].places) // PAIRS_PER_TOKEN) for place in asked]
        for batch in token_batches(costs, BATCH_TOKENS):
            some = [asked[number] for number in batch]
            answers = iter(run(rectangle([located[place] for place in some], self.padding)))
            for place in some:
                for number in located[place].kept:
                    found[place][number] = next(answers)
        return found


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
            given = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
            self.settings = ReaderSettings.model_validate(given)
            tokenizer = uncut(Tokenizer.from_file(str(folder / "tokenizer.json")))
            self.device = torch_device(device)
            self.net = load_net(folder).to(self.device).eval()
        except ValidationError as error:
            raise StancewiseError(f"{folder / SETTINGS_FILE}: {describe(error)}; fetch the model again") from None
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise StancewiseError(f"{folder}: the reader cannot be read ({error}); fetch the model again") from None
        self.encoder = PairEncoder(tokenizer, self.settings, self.net.encoder.config.pad_token_id or 0)

    def scores(self, sentences: Sequence[PairedSentence]) -> list[Scores]:
        """Probabilities of `ANSWERS` for the pairs of every sentence, each of shape (pairs, 4).

        A pair that lies beyond the tokens that the model reads expresses nothing.
        """
        return self.encoder.scores(sentences, self.run)

    def run(self, arrays: Arrays) -> Scores:
        """One pass: probabilities of `ANSWERS`, shape (pairs, 4), from the arrays of `rectangle`."""
        import torch

        move = partial(torch.Tensor.to, device=self.device)
        tensors = {name: move(torch.from_numpy(array)) for name, array in arrays.items()}
        with torch.inference_mode():
            scores: Scores = self.net(**tensors).double().softmax(dim=1).cpu().numpy()
        return scores
