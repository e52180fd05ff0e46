"""Several processes of one training: the main one leads, the others train what it tells them.

torchrun and accelerate start the same command in every process; the environment says which one it is. MLflow, the
terminal and what is kept on disk belong to the main process.
"""

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from serving.errors import StancewiseError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

_FOREVER = timedelta(days=365)
_talk: "ProcessGroup | None" = None  # for orders: beside the group that trains, because waiting for them has no limit


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def index() -> int:
    """Which of them this is; 0 is the main one."""
    return int(os.environ.get("RANK", "0"))


@contextmanager
def team() -> Iterator[bool]:
    """Join the other processes; gives whether this one leads, and lets the others go when it is done.

    A mistake is said by the process that meets it first; the others leave with exit code 1 and without a word.
    """
    if count() == 1:
        yield True
        return
    try:
        _join()
        yield index() == 0
        if index() == 0:
            tell(None)
    except (StancewiseError, KeyboardInterrupt):
        if not _first_to_speak():
            raise SystemExit(1) from None
        raise


def tell(order: Any) -> None:
    """Send what `hear` gives in the other processes; None lets them go."""
    if count() > 1:
        from torch.distributed import broadcast_object_list

        broadcast_object_list([order], src=0, group=_talk)


def hear() -> Any:
    """Wait for the main process, however long it evaluates or its store does not answer.

    Raises:
        StancewiseError: the main process ended.
    """
    from torch.distributed import broadcast_object_list

    box = [None]
    with connected():
        broadcast_object_list(box, src=0, group=_talk)
    return box[0]


@contextmanager
def connected(run_id: str | None = None) -> Iterator[None]:
    """Make the end of another process an error that says how to go on; for one process, nothing.

    Raises:
        StancewiseError: another process ended, or the launcher ends all.
    """
    if count() == 1:
        yield
        return
    message = "one of the processes was ended, and with it the training"
    if run_id:
        message += (
            f"; resume it with: torchrun --nproc_per_node {count()} -m training train --resume {run_id} "
            "(any number of processes, one too)"
        )

    def ended(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise StancewiseError(message)

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    except RuntimeError as error:
        if not _is_loss(error):
            raise
        # The launcher is about to end this process, too; there is still the error to tell and the run to close.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise StancewiseError(message) from None
    else:
        signal.signal(signal.SIGTERM, before)


def _join() -> None:
    global _talk  # noqa: PLW0603
    # Every process would say that no parameter is unused; looking for them is for encoders that have some.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    import torch
    from torch.distributed import init_process_group, new_group
    from transformers.utils import logging

    if index() > 0:
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
    # Both, because only the config says whether a machine with GPUs uses them.
    init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    _talk = new_group(backend="gloo", timeout=_FOREVER)


def _is_loss(error: RuntimeError) -> bool:
    """Whether a collective failed because another process is gone: gloo has no class of errors of its own."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or "gloo" in str(error).lower()


def _first_to_speak() -> bool:
    """Whether no other process has told the error; asked of the launcher's store, which outlives every process."""
    from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]

    try:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(address, port, is_master=False, timeout=timedelta(seconds=5))
        return store.add("stancewise/spoken", 1) == 1
    except DistError:
        return True  # no launcher: the store was the main process's and went with it
