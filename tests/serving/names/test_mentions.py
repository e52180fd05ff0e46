"""Names are found in the forms that texts write them in, in any script, and never inside another word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.names.mentions import find_mention

FOUND = [
    # as it is written
    ("Unionists left the Union", "union", "Union"),
    ("Лидеры «Северного моста» спорят", "северного моста", "Северного моста"),
    ("Ёлкин и Артём Ёлкин", "Артем Елкин", "Артём Ёлкин"),
    # another case, number or gender
    ("Совет выступил против Осинникова.", "Осинников", "Осинникова"),
    ("О планах Павла Рудина молчат.", "Павел Рудин", "Павла Рудина"),
    ("Он поддержал Балтийский союз, но не Балтийскую лигу.", "Балтийская лига", "Балтийскую лигу"),
    ("Der Verband lobte die rumänischen Lotsen.", "rumänische Lotsen", "rumänischen Lotsen"),
    ("Berlin steht an der Seite Moldaus.", "Moldau", "Moldaus"),
    # articles and prepositions of one word with the name
    ("La mairie tend la main aux dockers de Fos.", "les dockers de Fos", "aux dockers de Fos"),
    ("La dirección del Faro de Nerva calla.", "El Faro de Nerva", "del Faro de Nerva"),
    ("L’accord d’Oran réjouit l’OTAN.", "OTAN", "OTAN"),
    ("تحدث الوزير عن دعم المغرب والسنغال للاتفاق.", "السنغال", "والسنغال"),
    ("شكر الوفد للشركة صبرها.", "الشركة", "للشركة"),
    ("هاجمت النقابة قرارَ الحكومةِ.", "قرار الحكومة", "قرارَ الحكومةِ"),
    # scripts without blanks
    ("外交部发言人说，中方反对制裁。", "外交部", "外交部"),
    ("今日本报发表社论，批评日本首相。", "日本", "日本"),
    ("在京都，NATO代表没有发言。", "NATO", "NATO"),
    ("政府はNATOの提案を歓迎した。", "政府", "政府"),
    ("アメリカンズはアメリカを破った。", "アメリカ", "アメリカ"),
    ("러시아는 제안을 거부했다.", "러시아", "러시아"),
]


@pytest.mark.parametrize(("text", "name", "mention"), FOUND)
def test_a_name_is_found(text, name, mention):
    start, end = find_mention(text, name)
    assert text[start:end] == mention


def test_the_mention_that_cuts_no_word_is_taken():
    text = "今日本报发表社论，批评日本首相。"
    assert find_mention(text, "日本") == (text.index("日本首相"), text.index("日本首相") + 2)


def test_white_space_does_not_matter():
    assert find_mention("the  new\nplan", "new plan") == (5, 13)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Unionists left.", "union"),
        ("The party left.", "art"),
        ("Clinton spoke.", "t"),
        ("Партия ушла.", "арт"),
        ("今日本报发表社论。", "日本"),
        ("アメリカンズが勝った。", "アメリカ"),
        ("Le port de la ville", "les"),
        ("Der Rat tagte.", "Rathaus"),
        ("Nothing here", "…"),
    ],
)
def test_it_is_not_found_inside_another_word_nor_by_an_article_alone(text, name):
    assert find_mention(text, name) is None


SCRIPTS = st.sampled_from("ab é ßж ё ш中国日本报かなカナ한글عربيَّة ไทย 😀e\u0301-’\n")


@given(st.lists(SCRIPTS, max_size=40).map("".join), st.data())
def test_what_is_found_lies_in_the_text_and_is_counted_in_characters(text, data):
    name = data.draw(st.text(st.sampled_from(text or "a"), min_size=1, max_size=6))
    span = find_mention(text, name)
    if span is not None:
        assert 0 <= span[0] < span[1] <= len(text)
