"""What a version made of another is refused for, before anything is made."""

import pytest

from serving.errors import StancewiseError
from training.experiments.derive import tracked_encoder


@pytest.mark.parametrize(
    ("uri", "alias", "message"),
    [
        ("models:/stance@champion", "v7", r"--output-alias v7: Version alias name 'v7' is reserved"),
        ("models:/stance/3", "a b", r"--output-alias a b: .*may only contain"),
        ("models:/stance/3", "champion", r"promote decides that"),
        ("runs:/123", "int8", r"names no registered model"),
    ],
)
def test_an_alias_that_cannot_be_given(uri, alias, message):
    with pytest.raises(StancewiseError, match=message):
        tracked_encoder(uri, alias, "is refused")
