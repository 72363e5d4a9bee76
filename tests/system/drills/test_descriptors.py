"""A server that may open few files: connections to all ports leave it those that its work needs."""

import json
import os
import socket
from http.client import HTTPConnection
from pathlib import Path

from support.server_process import ServerProcess
from support.waiting import until

_MAY_OPEN = 400
_CROWD = 150  # connections to each of three ports
_SECONDS = 30


class FrugalServer(ServerProcess):
    """Begins with a limit of open files that it cannot raise."""

    def __init__(self, models: Path, *arguments: str) -> None:
        super().__init__(models, *arguments)
        limits = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({_MAY_OPEN}, {_MAY_OPEN}))"
        code = self._command.index("-c") + 1
        self._command[code] = f"import resource; {limits}; {self._command[code]}"

    @property
    def num_open(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def port_of(address: str) -> int:
    return int(address.removesuffix("/metrics").rpartition(":")[2])


def completion(connection: HTTPConnection, num_chars: int) -> int:
    """The status of a completion with a pattern that is new, which a process of its own compiles."""
    body = {"model": "tiny", "prompt": "a", "max_tokens": 8, "regex": f"[a-c]{{{num_chars}}}"}
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_crowds_at_every_port_take_no_file_that_work_needs(models: Path, tmp_path: Path) -> None:
    server = FrugalServer(models, "--data-dir", str(tmp_path), "--receive-timeout-seconds", "300")
    try:
        server.start()
        assert f"may have {_MAY_OPEN} files open" in server.log
        ports = [port_of(address) for address in (server.url, server.metrics_url, server.grpc_address)]
        kept = HTTPConnection("127.0.0.1", ports[0], timeout=_SECONDS)
        assert completion(kept, 1) == 200
        before = server.num_open
        crowd = [
            socket.create_connection(("127.0.0.1", port), timeout=_SECONDS)
            for port in ports
            for _ in range(_CROWD)
        ]
        until(lambda: server.num_open > before + 64)
        assert [completion(kept, num_chars) for num_chars in range(2, 7)] == [200] * 5
        assert server.num_open < _MAY_OPEN
        assert "can be accepted" not in server.log
        for connection in (*crowd, kept):
            connection.close()
        until(lambda: server.num_open <= before)
    finally:
        server.close()
