"""The page's command against the server of the tests: it prints what the page shows."""

import subprocess

from tests.conftest import REPOSITORY, STATEMENTS, read_lines, write_lines
from tests.end_to_end.test_pages import WORD, blocks


def test_the_page_shows_what_is_printed(llm, desk):
    [block] = [one for one in blocks(REPOSITORY / "docs" / "teach.md") if "--endpoint" in one.text]
    (desk.folder / "data" / "statements").mkdir(parents=True)
    for name in ("pairs.jsonl", "statements/validation.jsonl"):
        write_lines(desk.folder / "data" / name, read_lines(STATEMENTS.parent / name)[:60])
    command = block.text.replace("http://127.0.0.1:8000/v1", llm.url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=desk.folder,
        env=desk.environment,
        input="y\ny\n",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(WORD.findall(block.shown)) <= set(WORD.findall(done.stdout))
    assert len(read_lines(desk.folder / "answers.jsonl")) == 60
