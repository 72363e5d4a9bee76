"""Reads the files that the operator of a server names: settings, keys, certificates."""

import codecs
import os
import stat
from pathlib import Path

from nextchar.errors import SettingsInvalid

_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))


def read_file(path: Path, setting: str) -> bytes:
    """Returns the bytes of a regular file; waits for no writer of a pipe and no device.

    Raises:
        SettingsInvalid: it cannot be read, or is no regular file. The error names the setting.
    """
    try:
        # Not blocking: the open of a named pipe would wait until somebody writes to it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "a device")
                raise _unreadable(path, setting, f"it is {kind}, and must be a regular file")
            return file.read()
    except OSError as error:
        raise _unreadable(path, setting, error.strerror or type(error).__name__) from error


def read_text(path: Path, setting: str) -> str:
    """Returns the text of a regular file in UTF-8, without the byte order mark that some editors put first.

    Raises:
        SettingsInvalid: as `read_file`, or it is not UTF-8.
    """
    content = read_file(path, setting)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        why = "it is UTF-16, and must be UTF-8" if wide else "it is not UTF-8"
        raise _unreadable(path, setting, why) from error


def _unreadable(path: Path, setting: str, why: str) -> SettingsInvalid:
    return SettingsInvalid(f"{setting}: cannot read {str(path)!r}: {why}", param=setting)
