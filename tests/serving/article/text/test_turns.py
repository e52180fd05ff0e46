"""Who speaks in a transcript, however its lines are set; and what only looks like a name."""

import pytest

from serving.article.reading.positions import find_positions
from serving.article.text.blocks import find_blocks

ASKED = "Do you trust the pilots?"
PLEA = "We will pay the pilots, and I want that to be known."


def turns(text):
    """(speaker, words) of every block; speaker None: the author."""
    return [
        (text[slice(*one.speaker)] if one.speaker else None, text[one.start : one.end]) for one in find_blocks(text)
    ]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("MR. ASK: ", "MR. ASK"),
        ("MR. ASK:\u00a0 ", "MR. ASK"),
        ("MR. ASK :\u2009", "MR. ASK"),
        ("MR. ASK-LUNDE:\t", "MR. ASK-LUNDE"),
        ("Pål Ask (Lervik) (Con): ", "Pål Ask"),
        ("Pål Ask [via video link]: ", "Pål Ask"),
        ("PÅL ASK, HARBOUR MASTER: ", "PÅL ASK"),
        ("Pål Ask, harbour master: ", "Pål Ask"),
        ("The Minister for Ports (Pål Ask): ", "Pål Ask"),
        ("THE HARBOUR MASTER: ", "THE HARBOUR MASTER"),
        ("Łukasz van der Šimek: ", "Łukasz van der Šimek"),
        ("O’HARE: ", "O’HARE"),
        ("Speaker 2: ", "Speaker 2"),
        ("[00:01:07] Ask: ", "Ask"),
        ("00:07 - Ask: ", "Ask"),
        ("Ask (00:07): ", "Ask"),
        (">> ASK: ", "ASK"),
        ("**Pål Ask:** ", "Pål Ask"),
        ("[PÅL ASK]: ", "PÅL ASK"),
        ("MR. ASK:", "MR. ASK"),
        ("Pål Ask：", "Pål Ask"),
        ("Mr. ASK of Lervik. ", "Mr. ASK of Lervik"),
        ("Pål Ask:\n", "Pål Ask"),
        ("Harbour master: ", "Harbour master"),
        ("the former minister: ", "the former minister"),
    ],
)
def test_every_sentence_of_a_turn_is_its_speakers_and_the_question_is_not(label, name):
    text = "\n\n".join([
        f"{label}Good morning.", PLEA, f"Q {ASKED}", f"{label}Of course.", "VIK: I do not.", f"{label}You should."
    ])  # fmt: skip
    held = turns(text)
    assert held == [
        (name, "Good morning."), (name, PLEA), ("Q", ASKED), (name, "Of course."), ("VIK", "I do not."),
        (name, "You should."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "opening",
    ["So", "I will say this", "Here is my point", "Let me be clear", "First", "Note", "And yet", "My Answer", "No"],
)
def test_words_of_a_speaker_are_no_speaker(opening):
    text = f"HOST: Good evening.\n\nMR. VIK: I hate the quay.\n\n{opening}: the quay is a wreck.\n\nMS. ASK: I do not."
    assert turns(text)[2] == ("MR. VIK", f"{opening}: the quay is a wreck.")


def test_what_interrupts_a_turn_or_ends_the_transcript_is_nobodys():
    text = (
        "HOST: Is the quay safe?\n\nVIK: It is.\n\n(Laughter.)\n\nWe mended it twice:\n- I paid the divers\n\n"
        "On ferries\n\nVIK: Ferries are fine.\n\nI like them.\n\n"
        "The interview was held in Lervik. The union did not reply."
    )
    assert turns(text) == [
        ("HOST", "Is the quay safe?"), ("VIK", "It is."), (None, "(Laughter.)"), ("VIK", "We mended it twice:"),
        ("VIK", "I paid the divers"), (None, "On ferries"), ("VIK", "Ferries are fine."), ("VIK", "I like them."),
        ("VIK", "The interview was held in Lervik. The union did not reply."),
    ]  # fmt: skip
    text = "HOST: Is the quay safe?\n\nVIK: It is.\n\nHOST: And dear?\n\nThe interview was held in Lervik."
    assert turns(text)[-1] == (None, "The interview was held in Lervik.")
    text = "HOST: Is the quay safe?\n\nVIK: It is.\n\nI know it.\n\nHOST: And dear?\n\nEND 3:15 P.M.\n\nWe left."
    assert turns(text)[-1] == (None, "We left.")


def test_a_headline_with_a_speaker_opens_no_turn():
    text = "Former minister: the quay is a wreck\n\nWe met Nora Vik.\n\nASK: Is it?\n\nVIK: It is.\n\nASK: Thank you."
    assert turns(text)[:2] == [("Former minister", "the quay is a wreck"), (None, "We met Nora Vik.")]


@pytest.mark.parametrize(
    "text",
    [
        "Capital: Lervik\nCurrency: krone\nMayor: Pål Ask\nPopulation: 5,000",
        "What: a debate on the quay.\nWhere: the town hall.\nWhen: on Monday.\nWho: anybody.",
        "The council met.\n\nOslo: The mayor hailed the quay.\n\nRome: The mayor hated it.",
        "Photo: the quay by night.\n\nUpdated: on Monday at noon.\n\nRead more: The quay sinks.",
    ],
    ids=["facts", "questions", "two places", "page"],
)
def test_other_lines_with_a_colon_make_no_transcript(text):
    assert not any(speaker for speaker, _ in turns(text))


def test_speakers_who_are_called_by_a_letter_hold_positions():
    text = (
        "Q: The minister is a fool, is he not?\n\nA: The minister is a genius.\n\nQ: And the quay?\n\nA: Mend the quay."
    )
    held = {(one.speaker, one.target) for one in find_positions(text).positions}
    assert {("Q", "minister"), ("A", "minister")} <= held
