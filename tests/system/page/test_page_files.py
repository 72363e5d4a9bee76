"""A file that is opened in the page is read as text in the way of the command line."""

from pathlib import Path

from chromium import Browser
from support.live_server import LiveServer


def test_a_file_is_read_as_the_command_line_reads_it(
    browser: Browser, shipped: LiveServer, tmp_path: Path
) -> None:
    contents = [
        b"\xef\xbb\xbfab\r\nc\rd\n",
        "é".encode("latin-1"),
        "a\u2028b\n".encode(),
        "ab".encode("utf-16"),
    ]
    found = browser.run(
        "compare.opened",
        url=shipped.url,
        folder=str(tmp_path),
        contents=[content.hex() for content in contents],
    )
    assert found["strings"] == ["ab\nc\nd", "", "a\u2028b", ""]
    assert ["is not UTF-8 text" in error for error in found["errors"]] == [False, True, False, True]
