"""Commands in processes of their own that need not load the large libraries: each is forked from one that has them.

Loading torch, transformers and MLflow takes longer than most commands of the tests. Our own modules are loaded anew.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tests.libraries"])


def run(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: str | None,
    most_seconds: int,
) -> subprocess.CompletedProcess:
    """`python -m MODULE ARGUMENTS` in a folder, with its output.

    Raises:
        TimeoutExpired: it took longer than that.
    """
    with tempfile.TemporaryDirectory() as temporary:
        streams = [Path(temporary) / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes((stdin or "").encode())
        given = (module, list(arguments), str(folder), dict(environment), [str(path) for path in streams])
        process = _FORKED.Process(target=_command, args=given)
        process.start()
        process.join(most_seconds)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([module, *arguments], most_seconds)
        stdout, stderr = (path.read_text(encoding="utf-8") if path.exists() else "" for path in streams[1:])
        code = process.exitcode
        assert code is not None
        return subprocess.CompletedProcess([module, *arguments], code, stdout, stderr)


def _command(module: str, arguments: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> None:
    for number, (path, how) in enumerate(zip(streams, ("rb", "wb", "wb"), strict=True)):
        with open(path, how) as file:  # noqa: PTH123
            os.dup2(file.fileno(), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
