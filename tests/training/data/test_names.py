import pytest

from training.data.names import is_name_of

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
