"""Articles in languages without a parser: who is paired with what, and what of it is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.article.flow import read_article
from serving.article.reading import light
from serving.article.reading.candidates import LANGUAGES, candidates, cues
from serving.article.reading.positions import find_positions
from serving.article.text.blocks import find_blocks
from serving.article.text.sentences import quoted
from serving.statement import HeadPrediction, Prediction

LANGUAGE_CODES = tuple(sorted(LANGUAGES | {"en"}))
RUSSIAN = (
    "Мэр Приозёрска Ольга Климова раскритиковала проект нового моста. "
    "«Этот мост никому не нужен», — сказала она журналистам в понедельник.\n\n"
    "Профсоюз строителей поддержал проект. Его поддержал и Тимур Аганов, который давно живёт в этом городе. "
    "Аганов назвал решение Климовой большой ошибкой."
)
CHINESE = (
    "云河市市长林晓东周二批评了环保协会的报告。林晓东说：“这份报告毫无根据。”\n\n"
    "环保协会表示，市政府一直在拖延治理，居民已经等了很多年，但是他们不会放弃。"
)


def predicted(*sides):
    """A classifier that finds what is named: (holder, target, stance, probability); else neutrality."""

    def predict(rows):
        answers = []
        for row in rows:
            hits = (side for side in sides if side[0] in (row.speaker or "") and side[1] in row.target)
            _, _, label, sure = next(hits, ("", "", "neutrality", 0.95))
            chances = {one: sure if one == label else (1 - sure) / 2 for one in ("support", "neutrality", "criticism")}
            answers.append(
                Prediction(stance=HeadPrediction(label=label, probabilities=chances, abstained=False), sentiment=None)
            )
        return answers

    return predict


def read(text, *sides, **more):
    return read_article(predicted(*sides), text, languages=LANGUAGE_CODES, **more)


def asked(text, targets=None):
    return find_positions(text, targets, languages=LANGUAGE_CODES).positions


def named(text, language, holding=False):
    found = candidates(text, (0, len(text)), cues(language), quoted(text, (0, len(text))))
    return [text[one.start : one.end] for one in found if one.holds or not holding]


def test_support_and_criticism_are_shown_from_a_probability_on_and_a_note_says_how_it_was_read():
    article = read(RUSSIAN, ("Климова", "проект", "criticism", 0.9), ("Профсоюз", "проект", "support", 0.6))
    assert (article.language, article.foreign) == ("ru", False)
    assert [(one.speaker, one.stance.label) for one in article.statements] == [("Ольга Климова", "criticism")]
    assert article.statements[0].sureness == pytest.approx(0.9)
    assert not article.statements[0].sure
    assert article.notes[0] == light.limits("ru")
    assert "without a parser for ru" in article.notes[0]


def test_everything_lists_what_is_only_mentioned_as_unsure():
    article = read(RUSSIAN, ("Климова", "проект", "criticism", 0.9), everything=True)
    assert {one.stance.label for one in article.statements if not one.abstained} == {"criticism"}
    assert {one.stance.label for one in article.statements if one.abstained} == {"neutrality"}


def test_a_target_has_its_surest_holder_and_two_names_the_surer_direction():
    text = "Ольга Климова и вчера, и сегодня в городском совете при всех говорила, что Тимур Аганов критикует мост зря."
    sides = ("Климова", "мост", "support", 0.8), ("Аганов", "мост", "criticism", 0.9)
    assert {one.speaker for one in read(text, *sides).statements} == {"Тимур Аганов"}


def test_a_quotation_belongs_to_whoever_says_it():
    quotations = [one for one in asked(RUSSIAN) if one.kind == "direct"]
    assert {one.speaker for one in quotations} == {"Ольга Климова"}
    assert any("мост" in one.target for one in quotations)
    [said] = {one.speaker for one in asked(CHINESE) if one.kind == "direct"}
    assert said.endswith("林晓东")


def test_a_line_behind_a_dash_is_quoted():
    text = (
        "El lunes, la alcaldesa Ana Ruiz habló del puente con los vecinos del barrio.\n\n"
        "—El puente es una vergüenza —dijo Ana Ruiz—. La empresa nos ha mentido a todos durante años."
    )
    said = {(one.speaker, one.target) for one in asked(text) if one.kind == "direct"}
    assert {("Ana Ruiz", "puente"), ("Ana Ruiz", "empresa")} <= said


def test_a_surname_stands_for_the_full_name():
    last = {one.speaker for one in asked(RUSSIAN) if "ошибкой" in one.sentence.text}
    assert last == {"Тимур Аганов"}


def test_given_targets_are_found_in_other_forms_and_nothing_else_is():
    reading = find_positions(RUSSIAN, {"новый мост": (), "дамба": ()}, languages=LANGUAGE_CODES)
    assert {one.target for one in reading.positions} == {"новый мост"}
    assert {one.target_mention.text for one in reading.positions} == {"нового моста"}
    assert any(note.startswith("target 2 of 2") for note in reading.notes)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("ru", "Министр иностранных дел Сербии Драган Векич осудил санкции против Осло.", {"Драган Векич", "Осло"}),
        ("ru", "Партия «Труд и снег» молчит.", {"Партия «Труд и снег»"}),
        ("es", "El sindicato de maestros rechazó la reforma.", {"sindicato de maestros", "reforma"}),
        ("fr", "L'Union des pêcheurs a salué l'accord d'Oslo.", {"Union des pêcheurs", "accord d'Oslo"}),
        ("de", "Die Bürgermeisterin Anna von der Heide lobte den Ausbau.", {"Ausbau"}),
        ("zh", "挪威外交部批评了安娜·韦伯的声明。", {"挪威外交部", "安娜·韦伯", "声明"}),
        ("ar", "رفضت وزارة الخارجية البيان الختامي.", {"وزارة الخارجية البيان الختامي"}),
    ],
)
def test_names_and_nouns_are_candidates(language, text, expected):
    assert expected <= set(named(text, language)), named(text, language)


def test_what_stands_behind_a_preposition_holds_nothing():
    assert named("Вчера в Осло мэр Ольга Климова осудила налог.", "ru", holding=True) == ["Ольга Климова"]


def test_every_offset_is_right_also_where_characters_were_changed():
    text = RUSSIAN.replace("Климова", "Кли\u00adмова").replace("»", "&raquo;")
    for one in (*asked(text), *asked(CHINESE)):
        whole = text if one.sentence.text in text else CHINESE
        spans = (one.speaker_mention, one.cue, *one.content, one.target_mention, one.sentence)
        assert all(whole[span.start : span.end] == span.text for span in spans if span)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_offsets_are_right_in_mixed_scripts(data):
    pieces = [
        "Климова ",
        "сказала: ",
        "«Мост",
        "», — ",
        "林晓东",
        "说：",
        "“新规。”",
        "the ",
        "Oslo ",
        "d'Anna ",
        "— ",
        ". ",
    ]
    pieces += ["الوزير ", "قال ", "\n\n", "🚢 ", "Übung ", "la huelga ", "\u00ad", "；"]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=30)))
    language = data.draw(st.sampled_from(sorted(LANGUAGES)))
    for one in light.positions(text, find_blocks(text), language):
        spans = (one.speaker_mention, one.cue, *one.content, one.target_mention, one.sentence)
        assert all(text[span.start : span.end] == span.text and span.text for span in spans if span)
        assert one.target_mention in one.sentence
