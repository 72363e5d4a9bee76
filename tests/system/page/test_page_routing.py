"""Each call of the page says by which name a proxy finds the server of a session."""

from chromium import Browser
from support.live_server import LiveServer


def test_every_call_of_a_fork_names_its_origin_whose_server_it_is_on(
    browser: Browser, shipped: LiveServer
) -> None:
    """Also of a fork of a fork, and of the one that a suggestion is sampled from."""
    sent = browser.run("sessions.routed", url=shipped.url)
    root = sent[0][2]
    assert root.startswith("sess-")
    assert {tuple(call) for call in sent if call[2] != root} == set()
    called = {(method, *path.split("/")[4:]) for method, path, _ in sent}
    assert called >= {
        ("POST",),
        ("POST", "fork"),
        ("POST", "feed"),
        ("POST", "sample"),
        ("POST", "checkpoint"),
        ("POST", "rewind"),
        ("GET", "state"),
        ("DELETE",),
    }
    assert len({path.split("/")[3] for _, path, _ in sent if path.count("/") > 2}) >= 4
