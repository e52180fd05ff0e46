"""Memory that a training on a CPU frees and asks for again in every step."""

import ctypes
import sys

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # names of malloc.h
_LARGEST = 2**30  # bytes


def keep_freed_memory() -> None:
    """Let glibc give freed memory out again instead of returning it to the system; for the whole process.

    It returns large pieces at once, and the system fills each new one with zeros, such as the gradient of the word
    embeddings in every step. Other C libraries have no such switch and stay as they are.
    Source: mallopt(3).
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGEST)
            mallopt(_TRIM_THRESHOLD, _LARGEST)
