import subprocess
import sys

import pytest

PROGRAM = """
import sys
from training.fitting.memory import keep_freed_memory

def held():
    pages = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")]
    return int(pages[0]) // 1024

if sys.argv[1] == "keep":
    keep_freed_memory()
before = held()
piece = bytearray(b"1") * (300 * 2**20)
del piece
print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone has this switch")
def test_freed_memory_is_kept_and_only_where_it_is_asked_for():
    grown = {}
    for way in ("keep", "leave"):
        done = subprocess.run([sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=True)
        grown[way] = int(done.stdout)
    assert grown["keep"] > 250
    assert grown["leave"] < 50
