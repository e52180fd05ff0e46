from benchmarks.language import Asked, Text, chosen, figures


def asked(kind: str, own: str, answer: str, probability: float, english: float) -> Asked:
    return Asked(Text(kind, own, "..."), answer, probability, english)


FOUND = [
    asked("other", "es", "es", 0.95, 0.0001),
    asked("other", "fr", "fr", 0.70, 0.0001),
    asked("other", "uk", "ru", 0.60, 0.0001),
    asked("names", "en", "it", 0.90, 0.01),
    asked("ours", "en", "en", 0.99, 0.99),
    asked("unknown", "unknown", "en", 0.60, 0.60),
]


def test_no_english_text_is_given_up_for_another():
    least, margin = chosen(FOUND)
    assert margin > 90, "the English text full of names was taken for Italian"
    assert least <= 0.70


def test_the_figures_tell_wrong_names_from_none_and_count_what_is_refused():
    assert figures(FOUND, (0.5, 1)) == ["2 of 3", "1", "0 of 1", "0 of 1", "1 of 1"]
    assert figures(FOUND, (0.65, 200)) == ["2 of 3", "0", "0 of 1", "0 of 1", "0 of 1"]
