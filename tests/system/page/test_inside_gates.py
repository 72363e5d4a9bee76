"""Inside shows the gates that a cell has, and paints a text by them."""

import re

import numpy as np
import pytest
from chromium import Browser
from support.live_server import LiveServer


def test_the_gates_of_a_cell_can_be_chosen_and_are_those_of_inspect(
    browser: Browser, shipped: LiveServer
) -> None:
    text = "Now is the winter"
    found = browser.run("inside.gates", url=shipped.url, text=text, gate="forget gate")
    assert found["offered"] == {
        "shakespeare": ["hidden", "cell", "input gate", "forget gate", "output gate"],
        "shakespeare-gru": ["hidden", "reset gate", "update gate"],
        "shakespeare-rnn": ["hidden"],
    }
    body = {"model": "shakespeare", "input": text, "layers": [1], "gates": ["forget"]}
    values = np.array(shipped.post("/v1/inspect", body).json()["gates"][0]["values"])[:, 7]
    assert [float(title) for title, _ in found["painted"]] == pytest.approx(values.tolist(), abs=6e-4)
    for value, (_, tint) in zip(values, found["painted"], strict=True):
        (level,) = re.findall(r"(on|off)(\d)", tint) or [("", "0")]
        assert abs(int(level[1]) - 5 * abs(2 * value - 1)) <= 0.51
        assert level[0] in ("", "on" if value > 0.5 else "off")
