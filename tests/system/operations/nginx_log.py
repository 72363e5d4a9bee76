"""Runs a real nginx on loopback that writes an access log, and asks it ordinary and odd things."""

import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from support.ports import free_port
from support.tools import debian_program
from support.waiting import until

# Its processes keep the user, or they could not open the new log in a folder of this user alone.
_CONFIGURATION = """\
daemon off;
user root;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Forwarded-For;
  access_log {folder}/access.log combined;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "page"; }}
    location /missing {{ return 404; }}
  }}
}}
"""
VISITORS = tuple(f"198.51.100.{k}" for k in (7, 23, 61, 112))
_AGENTS = ["curl/8.5.0", "Prometheus/2.45.0"]
_PATHS = ["/", "/posts/river.html", "/posts/stone.html", "/assets/logo.png", "/api/items/", "/missing/page"]
_END_SECONDS = 30

# What each writes is unlike all that was written before, each in its own way.
ODD_REQUESTS = [
    b"GET /cgi-bin/.%2e/.%2e/.%2e/bin/sh HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/8.5.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: () { :;}; echo; /bin/cat /etc/passwd\r\n\r\n",
    b"GET /api/items/1%27%20UNION%20SELECT%20password%20FROM%20users-- HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03~\xe6\xb2\x9d\x04\xd8\xab\r\n\r\n",
    b"PROPFIND /_vti_bin/ HTTP/1.0\r\nUser-Agent: Microsoft-WebDAV-MiniRedir/10.0.19045\r\n\r\n",
]


class Nginx:
    """A running nginx and its log."""

    def __init__(self, folder: Path, port: int) -> None:
        self.log, self._port = folder / "access.log", port
        self._process_file = folder / "nginx.pid"
        self._chance = random.Random(28)

    def visit(self, count: int) -> None:
        """Makes so many ordinary requests."""
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}") as client:
            for _ in range(count):
                path = self._chance.choice(_PATHS)
                if path.endswith("items/"):
                    path += str(self._chance.randrange(1000))
                visitor, agent = self._chance.choice(VISITORS), self._chance.choice(_AGENTS)
                client.get(path, headers={"User-Agent": agent, "X-Forwarded-For": visitor})

    def ask(self, request: bytes) -> None:
        """Sends any bytes, and waits until the connection is closed or answered."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(request)
            connection.recv(4096)

    def rotate(self) -> Path:
        """Renames the log and has nginx begin a new one, as logrotate does; returns the old one."""
        old = self.log.with_suffix(".log.1")
        self.log.rename(old)
        self.send(signal.SIGUSR1)
        until(self.log.exists)
        return old

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to its main process."""
        os.kill(int(self._process_file.read_text()), number)


@contextmanager
def nginx(folder: Path) -> Iterator[Nginx]:
    """Runs nginx with its files in a folder; skips the test if it is not installed."""
    program, port = debian_program("nginx", "nginx"), free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port))
    command = [program, "-p", folder, "-c", configuration, "-e", folder / "error.log"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _answers(port))
            yield Nginx(folder, port)
        finally:
            process.terminate()
            process.wait(_END_SECONDS)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
