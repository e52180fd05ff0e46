"""Articles read in another process: the same answers, and what becomes of one that is not read to its end."""

import json
import os
import signal
import time

import psutil
import pytest
import torch
from transformers import AutoModel

from serving import StancewiseError
from serving.article.flow import questions
from serving.article.isolated import Broken, IsolatedReader, Lost, OutOfTime
from serving.article.reading.judging import judged_by
from serving.article.reading.positions import find_positions
from serving.runtime.pair_net import PairNet, save_net
from serving.runtime.reader import SETTINGS_FILE, PairReader

TEXT = """Ada Brekke, the mayor, met shopkeepers on Monday. She said the tram plan was a waste of money.

“We will fight the plan,” said Ole Vang, who owns a shop on the quay. The council of Lund welcomed it.
"""
LONG = TEXT * 3000  # half a million characters
# Every two names of a sentence are a pair, and few of the pairs lie within the 64 tokens that the net reads.
NAMES = f"Ada Brekke blamed {', '.join(f'the plan of cat {i}' for i in range(60))} and Ole Vang."


def nothing_to_tell(done, total):
    pass


@pytest.fixture(scope="module")
def net(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    torch.manual_seed(1)
    save_net(PairNet(AutoModel.from_pretrained(encoder)), folder)
    (folder / "tokenizer.json").write_bytes((encoder / "tokenizer.json").read_bytes())
    settings = {"max_length": 64, "shown_above": 0.5, "sure_above": 0.8}
    (folder / SETTINGS_FILE).write_text(json.dumps(settings), encoding="utf-8")
    return PairReader(folder, "cpu")


@pytest.fixture
def isolated():
    made = []

    def make(seconds=600.0):
        made.append(IsolatedReader(seconds))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert readers() == []


def readers():
    return [one for one in psutil.Process().children() if "spawn_main" in " ".join(one.cmdline())]


@pytest.mark.parametrize("given", [None, {"the tram plan": ["the plan"]}])
@pytest.mark.parametrize("judged", [True, False])
def test_it_reads_as_this_process_would(isolated, net, given, judged):
    reader, judge = (net, judged_by(net.scores, net.settings)) if judged else (None, None)
    there = isolated()
    for text in (TEXT, NAMES, TEXT.replace("\n", "\r\n")):
        told, expected = [], []
        reading, statements = there.read(text, given, lambda *done, to=told: to.append(done), reader)
        here = find_positions(text, given, lambda *done, to=expected: to.append(done), judge)
        assert (reading.positions, statements) == (questions(here)[0].positions, questions(here)[1])
        assert [one.read for one in reading.positions] == [one.read for one in here.positions]
        assert bool(reading.positions) or text is NAMES
        assert (reading.text, reading.notes, reading.everything) == (text, here.notes, False)
        assert told == expected
        assert reading.judged == here.judged.without_judge()


def test_a_mistake_in_the_text_is_said_as_ever(isolated):
    there = isolated()
    with pytest.raises(StancewiseError, match="there are no words in it"):
        there.read("?!", None, nothing_to_tell, None)
    assert there.read(TEXT, None, nothing_to_tell, None)[1]


def test_a_mistake_of_ours_is_told_by_its_place_alone(isolated):
    with pytest.raises(Broken, match=r"^AttributeError at .*serving/article/reading/positions\.py:\d+$"):
        isolated().read(TEXT, 5, nothing_to_tell, None)


def test_what_nobody_waits_for_is_given_up_and_the_same_process_goes_on(isolated, net):
    there, told = isolated(), []

    def tell(done, total):
        told.append(done)
        raise KeyError

    with pytest.raises(KeyError):
        there.read(LONG, None, tell, net)
    before = readers()
    assert len(told) == 1
    assert there.read(TEXT, None, nothing_to_tell, None)[1]  # another encoder: none
    assert readers() != before
    with pytest.raises(KeyError):
        there.read(LONG, None, tell, None)
    before = readers()
    assert there.read(TEXT, None, nothing_to_tell, None)[1]
    assert readers() == before


def test_past_its_time_an_article_is_ended_and_the_next_one_is_read(isolated):
    there = isolated(1.0)
    there.read(TEXT, None, nothing_to_tell, None)
    before = readers()
    with pytest.raises(OutOfTime):
        there.read(LONG, None, nothing_to_tell, None)
    assert readers() == []
    assert there.read(TEXT, None, nothing_to_tell, None)[1]
    assert readers() != before


def test_what_is_done_here_takes_no_time_of_the_article(isolated, net):
    there = isolated(1.0)

    class Slow(PairReader):
        def __init__(self):
            self.settings, self.encoder = net.settings, net.encoder

        def run(self, arrays):
            time.sleep(1.5)
            return net.run(arrays)

    reading, _ = there.read(TEXT, None, nothing_to_tell, Slow())
    assert reading.positions


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_lost_fails_the_article_that_it_read_alone(isolated, number):
    there = isolated()

    def kill(done, total):
        [process] = readers()
        os.kill(process.pid, number)

    with pytest.raises(Lost, match=f"exit code -{number.value}"):
        there.read(LONG, None, kill, None)
    assert there.read(TEXT, None, nothing_to_tell, None)[1]
    [process] = readers()
    process.kill()
    process.wait()
    assert there.read(TEXT, None, nothing_to_tell, None)[1]  # between two articles nothing is lost


def test_what_was_closed_is_not_started_again(isolated):
    there = isolated()
    there.close()
    with pytest.raises(Lost):
        there.read(TEXT, None, nothing_to_tell, None)
    assert readers() == []
