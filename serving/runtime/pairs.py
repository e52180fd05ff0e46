"""The reader's model: one pass over a sentence says of every pair of mentions in it which position is expressed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError

from serving.errors import StancewiseError, describe
from serving.inputs import Offsets
from serving.labels import HEADS

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

READER_FOLDER = "reader"  # in the model folder
SETTINGS_FILE = "reader.json"
ANSWERS = ("nothing", *HEADS["stance"])  # neutrality: declared, such as an abstention
FEATURES = 14  # numbers of grammar that go with a pair
BEFORE = 300  # characters of the sentence before that are read
AT_ONCE = 16  # sentences in one pass

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mention:
    """Where somebody or something stands in a sentence: characters of the whole phrase and of its head word."""

    phrase: Offsets
    head: Offsets


@dataclass(frozen=True)
class Pair:
    """Who may take a position on what."""

    holder: Mention | None  # None: whoever the text around belongs to
    target: Mention
    features: tuple[float, ...]


@dataclass(frozen=True)
class PairedSentence:
    """A sentence, what stands before it, and the pairs in it that are asked about."""

    before: str
    text: str
    pairs: tuple[Pair, ...]


class ReaderSettings(BaseModel):
    """The content of `reader.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_length: int = Field(gt=0, description="tokens that the model reads, the sentence before included")
    shown_above: float = Field(ge=0, le=1, description="least sureness of a position that is shown")
    sure_above: float = Field(ge=0, le=1, description="least sureness of one that is nearly always right")
    run_id: str | None = Field(default=None, description="the MLflow run that trained it")


@dataclass(frozen=True)
class Located:
    """A sentence as tokens, and its pairs as places among them."""

    ids: list[int]
    places: list[tuple[int, ...]]  # of each pair: first and last token of four spans, as in `SPANS`
    features: list[tuple[float, ...]]
    kept: list[int]  # which of the pairs lie within the tokens


def locate(sentence: PairedSentence, tokenizer: "Tokenizer", max_length: int) -> Located:
    """The tokens of a sentence with the end of the one before it, and where its pairs stand.

    A place is (first, last) of the holder's phrase, the holder's head, the target's phrase, the target's head; the
    author stands at the first token. Pairs beyond `max_length` are left out.
    """
    before = sentence.before[-BEFORE:]
    encoded: Encoding = tokenizer.encode(before, sentence.text)
    own = 1
    if not before or len(encoded.ids) > max_length:  # the sentence itself matters more
        encoded, own = tokenizer.encode(sentence.text), 0
    offsets = [
        (place, span)
        for place, (span, which) in enumerate(zip(encoded.offsets, encoded.sequence_ids, strict=True))
        if which == own and place < max_length
    ]
    found = Located(encoded.ids[:max_length], [], [], [])
    for number, pair in enumerate(sentence.pairs):
        holder = _place(pair.holder, offsets) if pair.holder else (0, 0, 0, 0)
        target = _place(pair.target, offsets)
        if holder and target:
            found.places.append(holder + target)
            found.features.append(pair.features)
            found.kept.append(number)
    return found


def _place(mention: Mention, offsets: Sequence[tuple[int, Offsets]]) -> tuple[int, ...] | None:
    found: list[int] = []
    for start, end in (mention.phrase, mention.head):
        inside = [place for place, span in offsets if span[0] < end and start < span[1]]
        if not inside:
            return None
        found += [inside[0], inside[-1]]
    return tuple(found)


def rectangle(located: Sequence[Located], padding: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of one pass.

    `input_ids` and `attention_mask` of shape (sentences, longest), `rows` of shape (pairs,), `places` (pairs, 8) and
    `features` (pairs, `FEATURES`).
    """
    longest = max(len(one.ids) for one in located)
    ids = np.full((len(located), longest), padding, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, one in enumerate(located):
        ids[row, : len(one.ids)] = one.ids
        mask[row, : len(one.ids)] = 1
    rows = [row for row, one in enumerate(located) for _ in one.places]
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "rows": np.array(rows, dtype=np.int64),
        "places": np.array([place for one in located for place in one.places], dtype=np.int64).reshape(-1, 8),
        "features": np.array([one for each in located for one in each.features], dtype=np.float32).reshape(
            -1, FEATURES
        ),
    }


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
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self.tokenizer.no_truncation()
            self.tokenizer.no_padding()
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
        asked.sort(key=lambda place: len(located[place].ids))
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
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
