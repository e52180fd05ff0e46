"""The file in the model folder."""

import json
import shutil

import pytest

from serving.errors import StancewiseError
from serving.store.folder import check_files, read_settings
from serving.watch.reference import REFERENCE_FILE, read_reference, write_reference


def test_it_is_read_as_it_was_written(watched, tmp_path):
    reference = read_reference(watched)
    assert reference
    write_reference(tmp_path, reference)
    assert read_reference(tmp_path) == reference
    write_reference(tmp_path, None)
    assert read_reference(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_it_holds_counts_and_no_text(watched):
    content = (watched / REFERENCE_FILE).read_text(encoding="utf-8")
    assert "union" not in content
    values = json.loads(content)
    assert {sum(one["counts"]) for one in values["histograms"]} == {values["rows"]}
    assert len(content) < 50_000


def test_its_digest_is_among_those_of_the_model(watched, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(watched, folder)
    path = folder / REFERENCE_FILE
    path.write_text(path.read_text().replace('"rows":667', '"rows":668'), encoding="utf-8")
    with pytest.raises(StancewiseError, match=r"reference\.json: damaged, its SHA-256 is"):
        check_files(folder, read_settings(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("texts"), "texts: Field required"),
        (lambda values: values.update(format=2), "newer version"),
        (lambda values: values["histograms"][0]["counts"].pop(), "histograms.0: counts: another number of bins"),
        (lambda values: values["accuracy"]["stance"].update(least=0.123), "least is no edge"),
    ],
)
def test_what_is_wrong_is_named(watched, tmp_path, change, message):
    values = json.loads((watched / REFERENCE_FILE).read_text(encoding="utf-8"))
    change(values)
    (tmp_path / REFERENCE_FILE).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(StancewiseError, match=message):
        read_reference(tmp_path)


def test_what_is_no_json_is_named_with_its_line(tmp_path):
    (tmp_path / REFERENCE_FILE).write_text('{"format": 1,\n', encoding="utf-8")
    with pytest.raises(StancewiseError, match=r"reference\.json:2: not JSON"):
        read_reference(tmp_path)
