"""`nextchar watch` follows the log of a real daemon through a rotation, and finds what is odd in it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from nginx_log import ODD_REQUESTS, VISITORS, nginx
from support.waiting import until

_MODEL = Path(__file__).parents[3] / "models" / "python"
_WATCH = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "watch", _MODEL]
_READ_SECONDS, _END_SECONDS = 250, 60
_THRESHOLD = 0.05


def test_the_odd_requests_of_an_access_log_are_the_top_of_what_is_printed(tmp_path: Path) -> None:
    printed = tmp_path / "printed.jsonl"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with nginx(tmp_path) as daemon, printed.open("wb") as output:
        command = [*_WATCH, daemon.log, "--json", "--threshold", "1"]
        with subprocess.Popen(command, stdout=output, env=environment) as process:
            try:
                daemon.visit(170)
                until(lambda: _lines(printed))  # it is behind, and follows
                old = daemon.rotate()
                for request in ODD_REQUESTS:
                    daemon.visit(20)
                    daemon.ask(request)
                daemon.visit(20)
                num_lines = 170 + 6 * 20 + len(ODD_REQUESTS)
                until(lambda: len(_texts(old, daemon.log)) == num_lines)  # it answers before it writes
                until(lambda: len(_lines(printed)) >= num_lines, seconds=_READ_SECONDS)
            finally:
                process.send_signal(signal.SIGTERM)
                status = process.wait(_END_SECONDS)
    assert status == 0
    lines = _lines(printed)
    assert [line["text"] for line in lines] == _texts(old, daemon.log)
    odd = {line["line"] for line in lines if not line["text"].startswith(VISITORS)}
    assert len(odd) == len(ODD_REQUESTS)
    found = sorted(
        (line for line in lines if line["p_value"] <= _THRESHOLD), key=lambda line: line["logprob"]
    )
    assert {line["line"] for line in found[: len(odd)]} == odd


def _texts(*files: Path) -> list[str]:
    return [line for file in files for line in file.read_text().splitlines()]


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]
