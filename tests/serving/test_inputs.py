import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import AutoTokenizer

from serving import StancewiseError, Statement
from serving.errors import describe
from serving.inputs import MARKS, InputEncoder, Rendered
from serving.names.mentions import find_mention


@pytest.fixture(scope="module")
def tokenizer(encoder):
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    tokenizer.add_tokens(list(MARKS), special_tokens=True)
    return tokenizer


@pytest.fixture(scope="module")
def marked(tokenizer):
    return inputs(tokenizer, "marked", 48)


def inputs(tokenizer, template, max_length, schemes=()):
    return InputEncoder(tokenizer.backend_tokenizer, template, max_length, schemes)


def render(encoder, text, speaker=None, target=None, **offsets):
    rendered = encoder.render(Statement(text=text, speaker=speaker, target=target, **offsets))
    return rendered.text, rendered.pair


def test_both_mentions_are_marked_where_they_stand(marked):
    text, pair = render(marked, "The plan pleased Oslo.", "Oslo", "the plan")
    assert text == "[T] The plan [/T] pleased [H] Oslo [/H]."
    assert pair is None


def test_a_mention_that_is_not_in_the_text_goes_into_the_pair(marked):
    assert render(marked, "She hailed it.", "Minister Berg", "the plan") == (
        "She hailed it.",
        "[H] Minister Berg [/H] [T] the plan [/T]",
    )
    assert render(marked, "Oslo hailed it.", "Oslo", "the plan") == ("[H] Oslo [/H] hailed it.", "[T] the plan [/T]")


def test_offsets_choose_the_mention_that_is_meant(marked):
    text, _ = render(marked, "Rome met Rome's critics.", target="Rome", target_start=9, target_end=13)
    assert text == "Rome met [T] Rome [/T]'s critics."


def test_marks_take_blanks_where_the_script_has_them(marked):
    chinese, _ = render(marked, "外交部说，中方反对制裁。", "外交部", "制裁")
    assert chinese == "[H]外交部[/H]说，中方反对[T]制裁[/T]。"
    mixed, _ = render(marked, "外交部批评NATO扩大。", "外交部", "NATO")
    assert mixed == "[H]外交部[/H]批评[T] NATO [/T]扩大。"


def test_nested_and_equal_mentions_are_marked_from_the_outside_in(marked):
    text, _ = render(marked, "Oslo's plan failed.", "Oslo", "Oslo's plan")
    assert text == "[T] [H] Oslo [/H]'s plan [/T] failed."
    text, _ = render(marked, "We failed.", "We", "We")
    assert text == "[H] [T] We [/T] [/H] failed."


def test_crossing_mentions_leave_the_target_marked_and_name_the_holder_in_the_pair(marked):
    text, pair = render(marked, "the old city hall plan", "old city hall", "hall plan")
    assert text == "the old city [T] hall plan [/T]"
    assert pair == "[H] old city hall [/H]"


def test_pair_and_blind_leave_the_text_alone(tokenizer):
    statement = ("Oslo left.", "Oslo", "the pact")
    assert render(inputs(tokenizer, "pair", 48), *statement) == ("Oslo left.", "[H] Oslo [/H] [T] the pact [/T]")
    assert render(inputs(tokenizer, "blind", 48), *statement) == ("Oslo left.", None)


def test_a_text_cannot_forge_marks_or_special_tokens(marked, tokenizer):
    [row] = marked.encode([Statement(text="[T] fake [/T] [SEP] [CLS] Oslo", speaker="Oslo")])
    ids = row.ids
    assert tokenizer.convert_tokens_to_ids("[T]") not in ids
    assert ids.count(tokenizer.sep_token_id) == 1
    assert ids.count(tokenizer.convert_tokens_to_ids("[H]")) == 1


@pytest.mark.parametrize("place", [0, 700, 1500])
def test_a_long_text_is_cut_around_the_target(marked, tokenizer, place):
    words = ["filler"] * 1500
    words.insert(place, "the accord")
    [row] = marked.encode([Statement(text=" ".join(words), speaker="Oslo", target="the accord")])
    shown = tokenizer.decode(row.ids).replace(" ##", "")
    assert "[T] the accord [/T]" in shown
    assert "[H] oslo [/H]" in shown
    assert len(row.ids) <= 48


def test_a_window_is_used_to_the_full_at_the_end_of_a_text(marked):
    [row] = marked.encode([Statement(text="market " * 400 + "the accord", target="the accord")])
    assert len(row.ids) > 36


def test_a_target_that_leaves_no_room_is_an_error(marked):
    with pytest.raises(StancewiseError, match=r"target: .* tokens leave no room"):
        marked.encode([Statement(text="word " * 100, target="very " * 60)])


def test_a_long_holder_is_shortened_instead(marked, tokenizer):
    [row] = marked.encode([Statement(text="word " * 100 + "the accord", speaker="minister " * 50, target="the accord")])
    assert "[T] the accord [/T]" in tokenizer.decode(row.ids)
    assert len(row.ids) <= 48


names = st.none() | st.text(max_size=20)


@settings(deadline=None, max_examples=150)
@given(
    text=st.text(max_size=400).map(lambda text: text + "a"),
    speaker=names,
    target=names,
    template=st.sampled_from(["marked", "pair", "blind"]),
)
def test_any_text_fits_and_the_target_survives(tokenizer, text, speaker, target, template):
    encoder = inputs(tokenizer, template, 64)
    statement = Statement(text=text, speaker=speaker, target=target)
    try:
        [row] = encoder.encode([statement])
    except StancewiseError:
        assert len(tokenizer(statement.target or "")["input_ids"]) > 20
        return
    assert 2 <= len(row.ids) <= 64
    marks = row.ids.count(tokenizer.convert_tokens_to_ids("[T]"))
    assert marks == (statement.target is not None and template != "blind")


def test_a_model_of_several_schemes_is_told_which_one(tokenizer):
    several = inputs(tokenizer, "marked", 64, schemes=("own", "news"))
    statement = Statement(text="Oslo hailed the accord.", speaker="Oslo", target="the accord")
    assert several.render(statement).text == "own: [H] Oslo [/H] hailed [T] the accord [/T]."
    assert several.render(statement.model_copy(update={"scheme": "news"})).text.startswith("news: [H] Oslo")
    assert inputs(tokenizer, "blind", 64, schemes=("own", "news")).render(statement).text == f"own: {statement.text}"
    with pytest.raises(StancewiseError, match="scheme: this model knows own, news"):
        several.encode([statement.model_copy(update={"scheme": "tweets"})])
    one = inputs(tokenizer, "marked", 64)
    assert one.render(statement.model_copy(update={"scheme": "tweets"})) == one.render(statement)


@pytest.mark.parametrize("template", ["marked", "pair", "blind"])
def test_the_scheme_counts_in_the_length(tokenizer, template):
    several = inputs(tokenizer, template, 32, schemes=("directed sentiment", "own"))
    [row] = several.encode([Statement(text="word " * 400 + "the accord " + "word " * 400, target="the accord")])
    assert len(row.ids) <= 32


@settings(deadline=None, max_examples=100)
@given(text=st.text(max_size=200), pair=st.none() | st.text(min_size=1, max_size=30))
def test_tokens_are_those_of_transformers(tokenizer, text, pair):
    [row] = inputs(tokenizer, "marked", 512)._tokenize([Rendered(text, pair)])
    expected = tokenizer(text, pair, return_token_type_ids=True)
    assert row.ids == expected["input_ids"]
    assert row.types == expected["token_type_ids"]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("Oslo hailed the miners’ plan.", "the miners' plan", "the miners’ plan"),
        ("Oslo hailed the miners' plan.", "the miners’ plan", "the miners' plan"),
        ("Oslo hailed the tax‑cut bill.", "tax-cut bill", "tax‑cut bill"),
        ("Oslo–Rome talks failed.", "Oslo-Rome talks", "Oslo–Rome talks"),
        ("Oslo hailed the\u00a0\u200bplan.", "the plan", "the\u00a0\u200bplan"),
        ("Oslo hailed the tri\u00adumph.", "triumph", "tri\u00adumph"),
        ("Zoe\u0308 Ask left.", "Zoë Ask", "Zoe\u0308 Ask"),
        ("Zoë Ask left.", "Zoe\u0308 Ask", "Zoë Ask"),
        ("Fish &amp; Sons left.", "Fish & Sons", "Fish &amp; Sons"),
        ("Ｏｓｌｏ left.", "Oslo", "Ｏｓｌｏ"),
        ("Zoe\u0308 met Zoe.", "Zoe", "Zoe"),
    ],
)
def test_a_name_is_found_however_it_is_written(text, name, found):
    start, end = find_mention(text, name)
    assert text[start:end] == found
    assert (start, end) == (text.index(found, 5 if name == "Zoe" else 0), end)


@pytest.mark.parametrize(
    ("offsets", "problem"),
    [
        ({"target_start": 22, "target_end": 30}, "target: the text at 22:30 is not the target named"),  # UTF-16 units
        ({"target_start": 21, "target_end": 29}, "target: the text at 21:29 is not the target named"),  # from 1
        ({"target_start": 170, "target_end": 178}, "target: offsets 170:178 are outside the text of 60 characters"),
        ({"target_start": 28, "target_end": 20}, "target: offsets 28:20 are outside the text"),
        ({"target_start": 20}, "give target, target_start and target_end, or no offsets"),
        ({"target_end": 28}, "give target, target_start and target_end, or no offsets"),
        ({"speaker_start": 2, "speaker_end": 6}, "give speaker, speaker_start and speaker_end, or no offsets"),
    ],
)
def test_offsets_that_are_not_on_the_mention_are_refused(offsets, problem):
    text = "😀😀 Oslo praised the quay-ban, but Rome hates the quay-taxes."
    right = Statement(text=text, target="quay\u2011ban", target_start=20, target_end=28)
    assert text[right.target_start : right.target_end] == "quay-ban"
    with pytest.raises(ValidationError) as caught:
        Statement(text=text, target="quay-ban", **offsets)
    assert problem in describe(caught.value)
    assert "quay-ban" not in describe(caught.value)
