import json
import shutil
from itertools import pairwise
from math import ceil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import TrainerCallback

from serving import StancewiseError
from tests.conftest import STATEMENTS
from training.config import Batch, EncoderSource, Loss, Optimiser, TrainConfig
from training.data.corpus import Corpus, LabelledStatement, read_corpus
from training.data.unlabelled_pairs import with_unrelated
from training.fitting.batches import LengthBatches, Pieces, pieces_of
from training.fitting.encoders import load_encoder
from training.fitting.fit import Workspace, fit, last_checkpoint, padding, parameter_groups
from training.fitting.loss import MaskedLoss, balanced_weights, target_masses

HEADS = ("stance", "sentiment")
lengths = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(lengths, st.integers(1, 9), st.integers(0, 3))
def test_every_row_comes_once_in_batches_of_like_length(lengths, rows, epoch):
    batches = LengthBatches(lengths, Batch(rows=rows), seed=1)
    batches.set_epoch(epoch)
    drawn = list(batches)
    assert sorted(i for batch in drawn for i in batch) == list(range(len(lengths)))
    assert len(drawn) == len(batches) == -(-len(lengths) // rows)
    spans = sorted((min(lengths[i] for i in batch), max(lengths[i] for i in batch)) for batch in drawn)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@given(lengths, st.integers(40, 200))
def test_batches_in_tokens_stay_within_them(lengths, tokens):
    batches = LengthBatches(lengths, Batch(tokens=tokens), seed=1)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) * ceil(max(lengths[i] for i in batch) / 8) * 8 <= tokens for batch in batches)


@given(lengths, st.sampled_from([Batch(rows=12), Batch(tokens=90)]), st.integers(1, 3), st.integers(1, 4))
def test_processes_share_the_rows_of_every_batch(lengths, size, accumulation, count):
    batches = LengthBatches(lengths, size, seed=1)
    blank = len(lengths)
    shared = [Pieces(batches, accumulation, process, count, blank) for process in range(count)]
    for epoch in (0, 1):
        shared[0].set_epoch(epoch)
        steps = [list(pieces) for pieces in shared]
        assert {len(pieces) for pieces in steps} == {len(shared[0])} == {len(batches) * accumulation}
        for number, batch in enumerate(batches):
            turns = slice(number * accumulation, (number + 1) * accumulation)
            pieces = [piece for process in steps for piece in process[turns]]
            assert sorted(row for piece in pieces for row in piece if row != blank) == sorted(batch)
            assert all(pieces)
            assert max(map(len, pieces)) <= -(-len(batch) // (accumulation * count))


def test_rows_that_cannot_be_shared_out_are_an_error(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert pieces_of(Batch(rows=12, accumulation=3)) == pieces_of(Batch(tokens=500, accumulation=3)) == 6
    with pytest.raises(StancewiseError, match=r"batch.rows: 32 rows .* over 2 processes .* use a multiple of 6"):
        pieces_of(Batch(rows=32, accumulation=3))


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        batches = LengthBatches([5] * 50, Batch(rows=4), seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def masked_loss(labels, logits, weights=None):
    train = read_corpus(STATEMENTS / "validation.jsonl")
    function = MaskedLoss(HEADS, train, Loss(), torch.device("cpu"))
    masses = torch.zeros(len(labels), 6)
    for i, row in enumerate(labels):
        for column, label in enumerate(row):
            if label >= 0:
                masses[i, 3 * column + label] = 1.0 if weights is None else weights[i]
    return function(SimpleNamespace(logits=logits), masses)


def test_a_row_teaches_only_the_heads_it_is_labelled_for():
    logits = torch.randn(3, 6, requires_grad=True)
    masked_loss([[0, 1], [2, -100], [-100, -100]], logits).backward()
    taught = logits.grad.abs() > 0
    assert taught.tolist() == [[True] * 6, [True] * 3 + [False] * 3, [False] * 6]


def test_a_batch_without_labels_has_no_loss():
    logits = torch.randn(1, 6, requires_grad=True)
    loss = masked_loss([[-100, -100]], logits)
    assert loss.item() == 0
    loss.backward()
    assert not logits.grad.any()


def test_the_loss_is_the_sum_of_the_heads():
    logits = torch.randn(4, 6)
    labels = torch.tensor([[0, 1], [1, 2], [2, 0], [0, 0]])
    expected = sum(
        torch.nn.functional.cross_entropy(logits[:, part], labels[:, i])
        for i, part in enumerate((slice(0, 3), slice(3, 6)))
    )
    torch.testing.assert_close(masked_loss(labels.tolist(), logits), expected)


def test_a_light_row_stays_light_in_a_batch_of_light_rows():
    logits = torch.randn(2, 6)
    full, light = (masked_loss([[0, 1], [2, 1]], logits, weights) for weights in ([1.0, 1.0], [0.25, 0.25]))
    torch.testing.assert_close(light, full / 4)


def test_targets_are_labels_times_weight_or_shares_of_the_votes():
    rows = [
        LabelledStatement(id="1", text="a", stance="support", sentiment="negative"),
        LabelledStatement(
            id="2", text="b", stance="criticism", stance_votes=("criticism", "criticism", "neutrality", "support")
        ),
    ]
    corpus = Corpus(Path("x"), rows, weight=0.5)
    assert target_masses(corpus, HEADS, Loss()).tolist() == [[0.5, 0, 0, 0, 0, 0.5], [0, 0, 0.5, 0, 0, 0]]
    assert target_masses(corpus, HEADS, Loss(votes=True)).tolist()[1] == [0.125, 0.125, 0.25, 0, 0, 0]
    assert target_masses(corpus, ("sentiment",), Loss(votes=True)).tolist() == [[0, 0, 0, 0, 0, 0.5], [0] * 6]


def test_a_teacher_takes_its_share_beside_a_label_and_all_where_there_is_none():
    row = LabelledStatement(
        id="1", text="a", stance="support", taught={"stance": (0.5, 0.5, 0), "sentiment": (0, 1, 0)}
    )
    [masses] = target_masses(Corpus(Path("x"), [row]), HEADS, Loss(teacher_share=0.5))
    assert masses.tolist() == [0.75, 0.25, 0, 0, 1, 0]


def test_balanced_weights_have_mean_one_over_the_rows():
    labels = np.array([0] * 8 + [1] * 2 + [-100] * 5)
    weights = balanced_weights(labels)
    assert weights[2] == 0
    assert weights[1] == pytest.approx(4 * weights[0])
    assert weights[labels[labels >= 0]].mean() == pytest.approx(1)


def test_learning_rates_fall_from_the_head_to_the_embeddings(encoder):
    _, model = load_encoder(EncoderSource(folder=encoder), "marked")
    groups = parameter_groups(model, Optimiser(learning_rate=1.0, layer_decay=0.5, weight_decay=0.1))
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    named = dict(model.named_parameters())
    assert len(rate) == len(named)
    assert rate[id(named["classifier.weight"])] == 1.0
    assert rate[id(named["bert.encoder.layer.1.output.dense.weight"])] == 0.5
    assert rate[id(named["bert.encoder.layer.0.output.dense.weight"])] == 0.25
    assert rate[id(named["bert.embeddings.word_embeddings.weight"])] == 0.125
    assert decay[id(named["classifier.bias"])] == 0
    assert decay[id(named["classifier.weight"])] == 0.1


@pytest.fixture(scope="module")
def small(encoder):
    train, validation = (read_corpus(STATEMENTS / f"{part}.jsonl") for part in ("train", "validation"))
    config = TrainConfig.model_validate(
        {
            "name": "small",
            "data": {"train": "x", "validation": "x"},
            "encoder": {"folder": encoder},
            "epochs": 1,
            "optimiser": {"learning_rate": 1e-3},
            "device": "cpu",
        }
    )
    return config, train.keep(range(64)), validation.keep(range(32))


def test_one_seed_gives_one_result(small, tmp_path):
    config, train, validation = small

    def weights(name, seed):
        folder = fit(config, seed, train, validation, Workspace(tmp_path / name, []))
        return load_file(folder / "model.safetensors")

    first, again, other = weights("a", 1), weights("b", 1), weights("c", 2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_pieces_and_activations_computed_again_change_no_weight(small, encoder, tmp_path):
    config, train, validation = small
    still = tmp_path / "encoder"
    shutil.copytree(encoder, still)
    settings = json.loads((still / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (still / "config.json").write_text(json.dumps(settings))
    train = train.keep(range(64))
    # Rows without a label for a head are what a mean over pieces would weigh wrongly.
    train.rows[:20] = [row.model_copy(update={"stance": None}) for row in train.rows[:20]]

    def weights(name, **changes):
        changes |= {"encoder": EncoderSource(folder=still)}
        folder = fit(config.model_copy(update=changes), 1, train, validation, Workspace(tmp_path / name, []))
        return load_file(folder / "model.safetensors")

    whole = weights("whole", batch=Batch(rows=16))
    for other in (
        weights("pieces", batch=Batch(rows=16, accumulation=4)),
        weights("again", batch=Batch(rows=16), gradient_checkpointing=True),
    ):
        for name in whole:
            torch.testing.assert_close(other[name], whole[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("longest", "width"), [(96, 16), (9, 9)])
def test_rows_are_padded_to_widths_that_come_back_and_never_beyond_the_longest_allowed(encoder, longest, width):
    tokenizer, _ = load_encoder(EncoderSource(folder=encoder), "marked")
    batch = padding(tokenizer, longest)([{"input_ids": [5] * 9}, {"input_ids": [5] * 3}])
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, width)
    assert batch["attention_mask"].sum(dim=1).tolist() == [9, 3]


def test_the_checkpoint_is_a_plain_hugging_face_model(small, tmp_path):
    from transformers import pipeline

    folder = fit(*small[:1], 1, *small[1:], Workspace(tmp_path, []))
    classify = pipeline("text-classification", model=str(folder), top_k=None, function_to_apply="none", device="cpu")
    [answers] = classify(["Oslo left."])
    assert {answer["label"] for answer in answers} >= {"stance:support", "sentiment:negative"}


def test_a_length_the_encoder_cannot_read_is_an_error(small, tmp_path):
    config, train, validation = small
    with pytest.raises(StancewiseError, match="max_length: 1024 is more than the 512 tokens"):
        fit(config.model_copy(update={"max_length": 1024}), 1, train, validation, Workspace(tmp_path, []))


def test_a_head_that_is_not_trained_is_not_measured(small, tmp_path):
    config, train, validation = small
    one = config.model_copy(update={"heads": ("sentiment",), "patience": 1, "batch": Batch(tokens=512)})
    assert (fit(one, 1, train, validation, Workspace(tmp_path, [])) / "model.safetensors").is_file()


def test_unrelated_pairs_are_learned_from_where_there_is_a_stance_to_learn(small, tmp_path):
    config, train, validation = small
    steps = []

    class Steps(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            steps.append(state.max_steps)

    for changes in ({}, {"unrelated": 1.0}, {"unrelated": 1.0, "heads": ("sentiment",)}):
        one = config.model_copy(update={"batch": Batch(rows=16), **changes})
        fit(one, 1, train, validation, Workspace(tmp_path / str(len(steps)), [Steps()]))
    rows = len(with_unrelated(train, 1.0, 1).rows)
    assert rows > 80
    assert steps == [4, -(-rows // 16), 4]


def test_a_checkpoint_cut_short_is_passed_over(tmp_path):
    for step, state in ((5, '{"global_step": 5}'), (10, '{"global_st')):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(state)
    (tmp_path / "checkpoint-15").mkdir()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"
    assert last_checkpoint(tmp_path / "nothing") is None
