"""The multilingual encoder out of its packed form: a tiny one in the same form, packed here."""

import hashlib
import json
import struct

import numpy as np
import pytest
from transformers import AutoModel

from serving import StancewiseError
from training.config import EncoderSource
from training.fitting import e5
from training.fitting.encoders import locate

HIDDEN, LAYERS, WIDE, WORDS, POSITIONS = 32, 2, 64, 40, 16


def four_bits(values):
    """Blocks of 32 weights: the scale as fp16, then the first 16 as low halves of bytes and the others as high ones."""
    packed, kept = b"", []
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7 or 1)
        whole = np.clip(np.round(block / np.float32(scale)), -8, 7).astype(int) + 8
        packed += scale.tobytes() + bytes(
            int(low | high << 4) for low, high in zip(whole[:16], whole[16:], strict=True)
        )
        kept.append((whole - 8) * np.float32(scale))
    return packed, np.concatenate(kept).reshape(values.shape)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Both packages, with the weights that they hold by the names of the packed form."""
    draws = np.random.default_rng(1)
    wide = {"fi": (WIDE, HIDDEN), "fo": (HIDDEN, WIDE)}
    shapes = {"emb.word": (WORDS, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (2, HIDDEN)}
    shapes |= {"emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        for part in ("q", "k", "v", "ao", "fi", "fo"):
            shape = wide.get(part, (HIDDEN, HIDDEN))
            shapes |= {f"l{layer}.{part}.w": shape, f"l{layer}.{part}.b": shape[:1]}
        for part in ("aln", "oln"):
            shapes |= {f"l{layer}.{part}.w": (HIDDEN,), f"l{layer}.{part}.b": (HIDDEN,)}
    kept, kinds, blobs = {}, {}, {}
    for name, shape in shapes.items():
        values = draws.normal(size=shape).astype(np.float32)
        kinds[name] = int(len(shape) == 2 and name not in ("emb.pos", "emb.type"))
        blobs[name], kept[name] = four_bits(values) if kinds[name] else (values.tobytes(), values)
    head = b"E5S1" + struct.pack("<i7ifi", 1, HIDDEN, LAYERS, 4, WIDE, WORDS, POSITIONS, 2, 1e-12, 32)
    pieces = [b"a", b"bc"]
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, 3) + struct.pack("<3I2f", 0, 1, 3, 0.0, -1.0) + b"abc"
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 65, 1, 97) + struct.pack("<i", len(shapes))
    place = len(head) + sum(2 + len(name) + 21 for name in shapes)
    for name, blob in blobs.items():
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kinds[name], kept[name].size, place, len(blob))
        place += len(blob)
    for package, file, content in (
        ("tiny_weights", "weights.bin", head + b"".join(blobs.values())),
        ("tiny_tokenizer", "tokenizer.json", json.dumps({"model": {}}).encode()),
    ):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('was run')\n")
        (tmp_path / package / file).write_bytes(content)
        known = (package, file, hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(e5, "WEIGHTS" if package == "tiny_weights" else "TOKENIZER", known)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STANCEWISE_CACHE", str(tmp_path / "cache"))
    return kept


def test_every_weight_is_where_bert_has_it_and_nothing_of_the_packages_runs(packages):
    place, revision = locate(EncoderSource(package="multilingual-e5-small"))
    assert revision is None
    model = AutoModel.from_pretrained(place, use_safetensors=True)
    weights = model.state_dict()
    np.testing.assert_allclose(weights["embeddings.word_embeddings.weight"], packages["emb.word"], rtol=1e-6)
    np.testing.assert_array_equal(weights["embeddings.LayerNorm.bias"], packages["emb.ln.b"])
    layer = "encoder.layer.1"
    np.testing.assert_allclose(weights[f"{layer}.output.dense.weight"], packages["l1.fo.w"], rtol=1e-6)
    np.testing.assert_allclose(weights[f"{layer}.attention.self.value.weight"], packages["l1.v.w"], rtol=1e-6)
    np.testing.assert_array_equal(weights[f"{layer}.attention.output.LayerNorm.weight"], packages["l1.aln.w"])
    assert model.config.num_attention_heads == 4


def test_it_is_made_once_and_nothing_half_made_is_left(packages, tmp_path):
    first = e5.installed()
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert e5.installed() == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    assert [one.name for one in first.parent.iterdir()] == [first.name]


def test_a_changed_file_is_refused(packages, tmp_path):
    weights = tmp_path / "tiny_weights" / "weights.bin"
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(StancewiseError, match=r"weights\.bin: SHA-256 is .*reinstall the package"):
        e5.installed()
    assert not list((tmp_path / "cache").rglob("model.safetensors"))


def test_without_the_packages_it_comes_from_the_hub(monkeypatch):
    monkeypatch.setattr(e5, "WEIGHTS", ("no_such_package_here", "x", "0" * 64))
    assert locate(EncoderSource(package="multilingual-e5-small")) == (e5.HUB, e5.REVISION)
