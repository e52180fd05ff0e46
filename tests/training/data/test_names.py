import pytest

from training.data.names import is_name_of, same_name

NAMES = ["the five-year rice accord", "the accord"]


@pytest.mark.parametrize("name", ["accord", "The rice accord", "rice accords", "the accord with Dakar"])
def test_heads_agree_and_modifiers_do_not_conflict(name):
    assert is_name_of(name, NAMES)


@pytest.mark.parametrize("name", ["rice", "five years", "the accord's critics", "critics of the rice accord", "it"])
def test_another_head_is_another_thing(name):
    assert not is_name_of(name, NAMES)


def test_modifiers_may_conflict():
    assert not is_name_of("the oil accord", ["the rice accord"])
    assert is_name_of("Haukongo", ["Ndapewa Haukongo"])
    assert not is_name_of("Sam Haukongo", ["Ndapewa Haukongo"])
    assert is_name_of("the President's plan", ["plan"])


@pytest.mark.parametrize(
    ("language", "name", "listed", "same"),
    [
        ("ru", "мэр Ольга Климова", ["Климовой"], True),
        ("ru", "проект", ["проект нового закона"], True),
        ("ru", "закон", ["проект закона"], False),
        ("ru", "новый мост", ["мост через Ангару"], False),
        ("fr", "Kossi Amétépé", ["Amétépé"], True),
        ("fr", "l’accord de pêche", ["l'accord"], True),
        ("es", "ministra", ["la ministra de Pesca"], True),
        ("es", "Pesca", ["la ministra de Pesca"], False),
        ("de", "des neuen Gesetzes", ["Gesetz"], True),
        ("zh", "外长林晓东", ["林晓东"], True),
        ("zh", "提案", ["中方的提案"], True),
        ("zh", "中方", ["中方的提案"], False),
        ("ar", "الاتفاق", ["اتفاق الصيد"], True),
        ("ar", "الصيد", ["اتفاق الصيد"], False),
    ],
)
def test_names_of_other_languages_agree_in_their_head(language, name, listed, same):
    assert same_name(language)(name, listed) is same
