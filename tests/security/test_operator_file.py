"""Files that an operator names: regular ones are read, with or without a mark; others are refused."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nextchar.entrypoints.settings import Settings
from nextchar.errors import SettingsInvalid
from nextchar.security.api_keys import make_key, read_records
from nextchar.security.operator_file import read_text
from nextchar.security.principal import Scope
from nextchar.security.state_key import make_state_key
from nextchar.security.tls import TlsFiles, make_context

_BYTE_ORDER_MARK = "\ufeff".encode()

# Every setting that names a file that is read, and how.
READERS: dict[str, Callable[[Path], object]] = {
    "config": lambda path: Settings(config=path),
    "api_keys_file": read_records,
    "tls_certificate_file": lambda path: make_context(TlsFiles(path, path)),
    "tls_key_file": lambda path: make_context(TlsFiles(_regular(path), path)),
    "tls_client_ca_file": lambda path: make_context(TlsFiles(_regular(path), _regular(path), path)),
    "data_dir": lambda path: make_state_key(None, path.parent),
}


def _regular(path: Path) -> Path:
    other = path.with_name("regular")
    other.touch()
    return other


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_pipe, _folder, _socket, _device])
@pytest.mark.parametrize("setting", list(READERS))
def test_what_is_no_regular_file_is_refused_by_the_name_of_its_setting(
    tmp_path: Path, setting: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "state.key")
    with pytest.raises(SettingsInvalid, match=f"^{setting}: cannot read ") as caught:
        READERS[setting](tmp_path / "state.key")
    assert caught.value.param == setting


def test_every_setting_that_names_a_file_is_here() -> None:
    named = {
        name for name in Settings.model_fields if name.endswith("_file") or name in ("config", "data_dir")
    }
    assert named == set(READERS)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(_BYTE_ORDER_MARK + b"http_port = 9")
    assert Settings(config=path).http_port == 9
    path.write_bytes(_BYTE_ORDER_MARK + make_key("me", [Scope.INFER])[1].line.encode())
    assert read_records(path)[0].owner == "me"
    path.write_bytes(b"a" + _BYTE_ORDER_MARK)
    assert read_text(path, "x") == "a\ufeff"


def test_text_of_another_encoding_says_which_it_must_be(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes("key".encode("utf-16"))
    with pytest.raises(SettingsInvalid, match="it is UTF-16, and must be UTF-8"):
        read_text(path, "x")
    path.write_bytes(b"\xe9")
    with pytest.raises(SettingsInvalid, match="it is not UTF-8"):
        read_text(path, "x")
