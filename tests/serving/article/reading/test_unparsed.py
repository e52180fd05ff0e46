"""Every pair of a sentence without a parser: who is asked about, and by which names it is shown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.article.reading.candidates import LANGUAGES
from serving.article.reading.judging import Judged
from serving.article.reading.positions import find_positions
from serving.article.reading.unparsed import drafted
from serving.article.text.blocks import find_blocks
from serving.runtime.pairs import ANSWERS, FEATURES
from serving.runtime.reader import Limits

READ = tuple(sorted(LANGUAGES | {"en"}))
RUSSIAN = (
    "Мэр Приозёрска Ольга Климова раскритиковала проект нового моста. Она отозвала подпись.\n\n"
    "«Я против этого моста, он никому не нужен», — сказал депутат Тимур Аганов.\n\n"
    "Россия и Сербия подписали договор."
)


def only(*wanted):
    """A reader that finds support where a sentence has this holder (None: nobody in it) and this target."""

    def judge(sentences):
        scores = []
        for one in sentences:
            found = np.tile(np.eye(len(ANSWERS))[0], (len(one.pairs), 1))
            for place, pair in enumerate(one.pairs):
                holder = pair.holder and one.text[slice(*pair.holder.phrase)]
                if (holder, one.text[slice(*pair.target.phrase)]) in wanted:
                    found[place] = [0.1, 0.8, 0.05, 0.05]
            scores.append(found)
        return scores

    limits = Limits(shown_above=0.5, sure_above=0.9)
    return Judged(judge, limits, unparsed=Judged(judge, limits), languages=tuple(LANGUAGES))


def shown(text, *wanted, **more):
    found = find_positions(text, judged=only(*wanted), languages=READ, **more).positions
    return [(one.speaker, one.target, one.kind) for one in found]


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("Она", "подпись"), ("Ольга Климова", "подпись", "indirect")),
        (("Я", "этого моста"), ("Тимур Аганов", "этого моста", "direct")),
        (("Россия", "Сербия"), ("Россия", "Сербия", "indirect")),
        (("Сербия", "Россия"), ("Сербия", "Россия", "indirect")),
        ((None, "договор"), (None, "договор", "author")),
    ],
)
def test_a_pair_that_expresses_a_position_is_shown_by_the_names_it_stands_for(pair, expected):
    assert shown(RUSSIAN, pair) == [expected]


def test_what_a_quotation_says_belongs_to_a_speaker_of_another_sentence():
    text = "«Проект плох. Мост никому не нужен», — сказала Ольга Климова."
    assert shown(text, (None, "Проект")) == [("Ольга Климова", "Проект", "direct")]


def test_i_and_we_of_a_turn_are_its_speaker():
    text = "Климова: Мы поддержим этот закон.\n\nАганов: Я против закона.\n\nКлимова: Жаль.\n\nАганов: Да."
    assert shown(text, ("Мы", "закон")) == [("Климова", "закон", "turn")]


def test_the_users_targets_alone_are_asked_about():
    pairs = [("Ольга Климова", "моста"), ("Она", "подпись")]
    assert shown(RUSSIAN, *pairs, given={"мост": []}) == [("Ольга Климова", "мост", "indirect")]


def test_a_reader_of_other_languages_is_not_asked():
    asked = []
    limits = Limits(shown_above=0.5, sure_above=0.9)
    judge = Judged(None, limits, unparsed=Judged(asked.append, limits), languages=("zh",))
    found = find_positions(RUSSIAN, judged=judge, languages=READ)
    assert not asked
    assert found.positions
    assert all(one.read is None for one in found.positions)


@pytest.mark.parametrize(
    ("language", "text", "holder", "target"),
    [
        ("zh", "委内瑞拉外长伊万·桑托斯批评了中方的提案。", "委内瑞拉外长伊万·桑托斯", "中方"),
        ("zh", "哈拉茨感谢中方的接待。", "哈拉茨", "中方"),
        ("es", "Canadá y Uruguay rechazaron la propuesta de Quito.", "Uruguay", "propuesta de Quito"),
        ("fr", "Son homologue togolais, Kossi Amétépé, a remercié Accra pour sa patience.", "Kossi Amétépé", "Accra"),
        ("de", "Deutschland und Frankreich lehnten den Plan ab.", "Frankreich", "Plan"),
        ("ar", "وصوتت باكستان لصالح القرار.", "باكستان", "القرار"),
    ],
)
def test_holder_and_target_are_among_the_pairs(language, text, holder, target):
    [(_, one)] = drafted(text, find_blocks(text), language)
    pairs = {
        (pair.holder and text[slice(*pair.holder.phrase)], text[slice(*pair.target.phrase)]) for pair in one.asked.pairs
    }
    assert (holder, target) in pairs
    assert (None, target) in pairs


PIECES = [
    *("Климова ", "сказала: ", "«Мост", "», — ", "он ", "林晓东", "说：", "“新规。”", "我们", "中方", "the ", "Oslo "),
    *(
        "d'Anna ",
        "j’",
        "— ",
        ". ",
        "الوزير ",
        "قال ",
        "أنا ",
        "\n\n",
        "🚢 ",
        "Übung ",
        "la huelga ",
        "\u00ad",
        "；",
        "ё",
    ),
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=30), st.sampled_from(sorted(LANGUAGES)))
def test_mentions_lie_in_their_sentence_whatever_the_text(pieces, language):
    text = "".join(pieces)
    for (start, end), one in drafted(text, find_blocks(text), language):
        assert one.asked.text == text[start:end]
        for pair in one.asked.pairs:
            assert len(pair.features) == FEATURES
            for mention in filter(None, (pair.holder, pair.target)):
                assert 0 <= mention.phrase[0] < mention.phrase[1] <= end - start
        for draft in one.drafts:
            position = one.show(draft)
            spans = (position.speaker_mention, position.target_mention, position.sentence)
            assert all(text[span.start : span.end] == span.text for span in spans if span)
