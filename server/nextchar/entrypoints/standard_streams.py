"""Keeps the three standard streams open, and says in one line what could not be written or held in memory."""

import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import asyncio

_NAMES = ("standard input", "standard output", "standard error")
# What is opened in place of a closed stream. Input and output are opened the wrong way round, so that their
# use is an error that names them; what goes to standard error is dropped.
_IN_PLACE = (os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)
_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
_SIGNS_OF_NO_MEMORY = (
    "failed to map segment",
    "std::bad_alloc",
    "cannot allocate memory",
    "Cannot allocate memory",
    "can't start new thread",
)
_FAILED = 1
_closed: set[int] = set()  # the streams that were closed when the process began
_NO_MEMORY = (
    b"Error: not enough memory: raise the limit of the process (ulimit -v) or of its container, "
    b"or serve fewer models\n"
)


def open_standard_streams() -> None:
    """Opens each standard stream that is closed: no other file may take its number.

    What is meant for the stream would else be written into that file, a connection or a database.
    """
    for number, flags in enumerate(_IN_PLACE):
        try:
            os.fstat(number)
        except OSError:
            _closed.add(number)
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 # as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """Ends the process with one line and status 1 where a stream cannot be used, or memory is short."""
    try:
        yield
    except (MemoryError, ImportError, RuntimeError) as error:
        if not _is_of_memory(error):
            raise
        _say_no_memory()
    except OSError as error:
        if error.errno == errno.ENOMEM:
            _say_no_memory()
        if error.errno not in _UNWRITTEN or error.filename is not None:
            raise
        _fail(f"cannot use {_stream_of(error)}: {error.strerror}")


def _say_no_memory() -> NoReturn:
    os.write(2, _NO_MEMORY)  # made before, for there is no room for another object
    sys.exit(_FAILED)


def _is_of_memory(error: MemoryError | ImportError | RuntimeError) -> bool:
    """Returns whether memory was short: for an object, for a library's code, or for the stack of a thread."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _SIGNS_OF_NO_MEMORY)


def _stream_of(error: OSError) -> str:
    """Names the stream that an error is most likely of: that which is closed, else standard output."""
    if error.errno != errno.EBADF:
        return _NAMES[1]
    number = 0 if _closed == {0} else 1
    return f"{_NAMES[number]}, which is closed" if number in _closed else _NAMES[number]


def _fail(reason: str) -> NoReturn:
    """Writes one line to standard error; forgets what standard output still holds, which would fail again."""
    os.write(2, f"Error: {reason}\n".encode())
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    sys.exit(_FAILED)


async def print_beside(text: str) -> None:
    """Prints text in a thread: whoever reads standard output may have stopped, and the loop must not wait.

    Raises:
        OSError: it cannot be written.
    """
    import asyncio  # a health check, which runs every few seconds, needs neither of them

    from nextchar.telemetry.log_writer import write_all

    loop = asyncio.get_running_loop()
    printed: asyncio.Future[None] = loop.create_future()
    sys.stdout.flush()

    def work() -> None:
        error: OSError | None = None
        try:
            write_all(sys.stdout.fileno(), text.encode())  # a lock of sys.stdout would be held at exit
        except OSError as raised:
            error = raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_resolve, printed, error)

    threading.Thread(target=work, name="greeting", daemon=True).start()
    await printed


def _resolve(future: "asyncio.Future[None]", error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
