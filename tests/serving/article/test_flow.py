"""From a text to labelled statements, with a real reader and a tiny trained model."""

import pytest

from serving import StanceClassifier, StancewiseError

TEXT = (
    "NORRA - The island council met on Monday.\r\n\r\n"
    '🚢 "The ferry plan is a disgrace," said Mayor Ilse Tarn. "Norrlinje has betrayed the islands."\r\n\r\n'
    "According to Peter Holm, the Ferry Accord protects Norrlinje.\r\n"
)


def test_an_article_keeps_its_text_and_its_statements_stand_in_it(classifier):
    article = classifier.read_article(TEXT, name="norra.txt", everything=True)
    assert (article.name, article.text) == ("norra.txt", TEXT)
    assert {"Ilse Tarn", "Peter Holm"} <= {one.speaker for one in article.statements}
    for one in article.statements:
        spans = [one.speaker_mention, one.cue, *one.content, one.target_mention, one.sentence]
        assert all(TEXT[span.start : span.end] == span.text for span in spans if span)
        assert one.abstained == (one.stance.abstained or one.sentiment.abstained)
    starts = [one.sentence.start for one in article.statements]
    assert starts == sorted(starts)


def test_a_statement_is_answered_as_if_asked_alone(classifier):
    statements = classifier.read_article(TEXT, everything=True).statements
    for one, alone in zip(statements, classifier.predict([s.statement() for s in statements]), strict=True):
        assert one.sentiment.probabilities == pytest.approx(alone.sentiment.probabilities, abs=1e-4)


@pytest.mark.parametrize("targets", [{"Norrlinje": []}, ["Norrlinje"], "Norrlinje"])
def test_targets_are_looked_for_alone(classifier, targets):
    article = classifier.read_article(TEXT, targets, everything=True)
    assert {one.target for one in article.statements} == {"Norrlinje"}


def test_a_target_is_found_by_its_aliases(classifier):
    article = classifier.read_article(TEXT, {"the accord": ["Ferry Accord"]}, everything=True)
    assert {one.target for one in article.statements} == {"the accord"}
    assert all(one.target_mention.text.endswith("Ferry Accord") for one in article.statements)
    assert "Peter Holm" in {one.speaker for one in article.statements}


@pytest.mark.parametrize(
    ("text", "targets", "message"),
    [
        (None, None, "text: a string is needed, not NoneType"),
        (TEXT.encode(), None, "text: a string is needed, not bytes"),
        (TEXT, {"the accord": "Ferry Accord"}, "targets: other names for a target are a list"),
        (TEXT, {"accord": "pact"}, "targets: other names for a target are a list"),
        (TEXT, [None], "targets: a name is no string"),
        (TEXT, ["accord", " "], "targets: a name is blank"),
    ],
)
def test_what_is_no_article_or_no_target_is_named(classifier, text, targets, message):
    with pytest.raises(StancewiseError, match=message):
        classifier.read_article(text, targets)


def test_what_shows_no_position_is_listed_only_if_asked_for(classifier):
    every = classifier.read_article(TEXT, everything=True).statements
    shown = classifier.read_article(TEXT).statements
    assert shown == [one for one in every if not one.stance.abstained]
    assert len(shown) < len(every)


SPANISH = "La alcaldesa Ilse Tarn defendió el plan del transbordador. El concejal Peter Holm lo llamó una vergüenza."


def test_an_article_in_another_language_is_not_read_and_a_note_says_so(classifier):
    article = classifier.read_article(SPANISH, everything=True)
    assert (article.text, article.language, article.foreign, article.statements) == (SPANISH, "es", True, [])
    [note] = article.notes
    assert note.startswith("the text is in es, and the model reads en: nothing was labelled")
    every = StanceClassifier(classifier.settings, classifier.runtime, any_language=True)
    read = every.read_article(SPANISH, everything=True)
    assert (read.language, read.foreign) == ("es", False)
    assert not any("does not read" in note or "nothing was labelled" in note for note in read.notes)


def test_a_sentence_in_another_language_is_listed_as_unsure_only_if_asked_for(classifier):
    text = f"{TEXT}\r\n«Das ist eine Schande für die ganze Insel und für Norrlinje», sagte der alte Kapitän.\r\n"
    article = classifier.read_article(text, ["Norrlinje"], everything=True)
    [one] = [one for one in article.statements if one.foreign]
    assert (article.language, one.language, one.abstained) == ("en", "de", True)
    assert any(note.startswith("statements in a language") and "de 1" in note for note in article.notes)
    assert not any(one.foreign for one in classifier.read_article(text, ["Norrlinje"]).statements)


def test_a_blank_target_is_refused(classifier):
    for targets in ([" "], {"Norrlinje": [""]}):
        with pytest.raises(StancewiseError, match="targets: a name is blank"):
            classifier.read_article(TEXT, targets)


def test_words_are_explained_only_if_asked_for(classifier):
    assert not any(one.explanation for one in classifier.read_article(TEXT).statements)
    for one in classifier.read_article(TEXT, explain=True, everything=True).statements:
        assert (one.explanation.head, one.explanation.label) == ("stance", one.stance.label)
        assert all(one.sentence.text[word.start : word.end] == word.text for word in one.explanation.words)


def test_progress_is_told_by_stage_to_its_end(classifier):
    told = []
    article = classifier.read_article(
        TEXT * 40, explain=True, on_progress=lambda *one: told.append(one), everything=True
    )
    for stage, total in (("labelling", len(article.statements)), ("explaining", len(article.statements))):
        done = [row[1] for row in told if row[0] == stage]
        assert done == sorted(done)
        assert done[-1] == total
        assert {row[2] for row in told if row[0] == stage} == {total}
    assert list(dict.fromkeys(row[0] for row in told))[-2:] == ["labelling", "explaining"]


def test_a_statement_that_cannot_be_asked_is_noted_and_the_others_are_labelled(classifier):
    name = "very " * 80 + "long plan"
    text = f"{TEXT}\r\nPeter Holm rejected the {name}.\r\n"
    article = classifier.read_article(text, [name, "Norrlinje"], everything=True)
    assert {one.target for one in article.statements} == {"Norrlinje"}
    [note] = [note for note in article.notes if "could not be labelled" in note]
    assert "leave no room" in note
    assert "very very" not in note


def test_a_sentence_too_long_to_explain_keeps_its_label(classifier):
    text = "The mayor condemned Norrlinje " + "and more " * 210 + "on Monday."
    article = classifier.read_article(text, ["Norrlinje"], explain=True, everything=True)
    assert {one.explanation for one in article.statements} == {None}
    assert article.statements[0].stance
    assert any("could not be explained" in note for note in article.notes)


def test_what_is_no_article_is_refused(classifier):
    for text in ("", "a\0b", "<html><p>Oslo.</p>", "\ud800 Oslo"):
        with pytest.raises(StancewiseError, match="text: "):
            classifier.read_article(text)
