"""A vocabulary cut to some scripts answers as before on texts in them."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from serving import StancewiseError
from training.config import EncoderSource
from training.fitting.encoders import load_encoder

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁Рим", "▁", "a", "b", "罗马", "ب", "ου", "▁ab", "한", "!", "Ａ"]


@pytest.fixture
def folder(tmp_path):
    backend = Tokenizer(models.Unigram([(piece, -float(i)) for i, piece in enumerate(PIECES)], unk_id=3))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    ends = [("<s>", 0), ("</s>", 2)]
    backend.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", ends)
    specials = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=32, **specials)
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def embedded(tokenizer, model, texts):
    model.eval()
    asked = tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        return model.base_model(**asked).last_hidden_state[:, 0]


def test_texts_in_the_scripts_that_stay_are_read_as_before(folder):
    whole, cut = EncoderSource(folder=folder), EncoderSource(folder=folder, trim=("Latin", "Cyrillic", "Han"))
    tokenizer, model = load_encoder(whole, "marked")
    smaller, less = load_encoder(cut, "marked")
    assert len(tokenizer) - len(smaller) == 3, "ب, ου, 한"
    assert less.get_input_embeddings().num_embeddings == len(smaller)
    texts = ["Рим 罗马 ab!", "[T] Рим [/T] Ａ b"]
    assert [smaller.tokenize(text) for text in texts] == [tokenizer.tokenize(text) for text in texts]
    torch.testing.assert_close(embedded(smaller, less, texts[:1]), embedded(tokenizer, model, texts[:1]))
    assert smaller.convert_tokens_to_ids("ب") == smaller.unk_token_id
    assert smaller("ab", "b")["input_ids"][0] == smaller.bos_token_id


def test_a_model_of_ours_keeps_its_marks(folder, tmp_path):
    tokenizer, model = load_encoder(EncoderSource(folder=folder), "marked")
    ours = tmp_path / "ours"
    model.save_pretrained(ours)
    tokenizer.save_pretrained(ours)
    smaller, less = load_encoder(EncoderSource(folder=ours, trim=("Latin",)), "marked")
    for mark in ("[H]", "[/T]"):
        row, other = smaller.convert_tokens_to_ids(mark), tokenizer.convert_tokens_to_ids(mark)
        torch.testing.assert_close(less.get_input_embeddings().weight[row], model.get_input_embeddings().weight[other])


def test_other_tokenizers_cannot_be_cut(encoder):
    with pytest.raises(StancewiseError, match=r"encoder\.trim: this tokenizer cannot be cut"):
        load_encoder(EncoderSource(folder=encoder, trim=("Latin",)), "marked")
