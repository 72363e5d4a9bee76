"""Feeds sessions by every client over two servers and a store that breaks; compares the texts at the end."""

import asyncio
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.drills.doubled.faults import strike
from benchmarks.drills.doubled.ledger import Ledger, Plan, SessionLog
from benchmarks.drills.doubled.own_client import feed_by_async, feed_by_blocking
from benchmarks.drills.doubled.valkey import POLICIES, BreakableValkey, Naming
from benchmarks.drills.process import ServerProcess, served, settles

_ROOT = Path(__file__).parents[3]
_MODULE = "benchmarks.drills.doubled"
_OPTIONS = [
    *("--state-key", "k" * 32, "--max-sessions", "100000", "--log-level", "error"),
    *("--engine-threads", "1", "--keep-alive-timeout-seconds", "600"),
]
_GONE = (404, 410)
_LATE_SECONDS = 90  # after the last fault, for a program to end
_READY_SECONDS = 30
_VERDICTS = ("alive", "told", "doubled", "lost", "other", "mistold")


@dataclass(frozen=True)
class Findings:
    """What the drill found: sessions by what became of them, and calls by how they ended; both by client."""

    naming: Naming
    faults: dict[str, int]
    counts: dict[str, int]
    num_alive: int
    num_told: int
    doubled: list[str]  # sessions that have read more than was sent
    lost: list[str]  # sessions that have read less, or are gone, and nobody was told
    other: list[str]  # sessions that have read as much, and something else
    # Sessions that were evicted, and said never to have been: a miss where nothing but sessions is evicted.
    mistold: list[str]

    @property
    def num_faults_of_servers(self) -> int:
        """The number of answers by which a server said that it had failed, and not its store."""
        return sum(number for name, number in self.counts.items() if name.endswith(" server_error"))

    @property
    def good(self) -> bool:
        mistold = self.mistold if POLICIES[self.naming].startswith("volatile") else []
        return not (self.doubled or self.lost or self.other or mistold or self.num_faults_of_servers)


def doubled(
    models: Path,
    model: str,
    naming: Naming,
    *,
    seed: int,
    seconds: float,
    num_sessions: int,
    num_feeds: int,
    programs: Mapping[str, Sequence[str]],
) -> Findings:
    """Runs the drill. `num_feeds` are those of one session; `programs` run the clients of other people."""
    clients = ["blocking", "async", *programs]
    share = num_sessions // len(clients)
    plans = [Plan(client, seed, share, num_feeds, seconds) for client in clients]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        store = stack.enter_context(BreakableValkey(folder, naming).running())
        options = ["--session-store", store.url, *_OPTIONS]
        servers = [stack.enter_context(served(models, *options)) for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(len(clients)))
        feeding = [pool.submit(_feeder(plan, servers, model, programs)) for plan in plans]
        struck = strike(store, seed, seconds)
        ledger = _joined(feeding)
        return _compared(ledger, servers, model, naming, struck)


def _feeder(
    plan: Plan, servers: Sequence[ServerProcess], model: str, programs: Mapping[str, Sequence[str]]
) -> Callable[[], Ledger]:
    rest = [f"http://127.0.0.1:{server.port}" for server in servers]
    rpc = [f"grpc://127.0.0.1:{server.grpc_port}" for server in servers]
    if plan.client in programs:
        command = [*programs[plan.client], json.dumps(asdict(plan)), model, *rest]
        return partial(_run_program, command, plan.seconds)
    feed = feed_by_blocking if plan.client == "blocking" else feed_by_async
    return lambda: asyncio.run(feed(plan, [rest, rpc], model))


def programs() -> dict[str, list[str]]:
    """Returns the commands of the clients that run in environments of their own, if those are installed."""
    found = {"openai": _in_environment("openai", "openai_client")}
    chromium, page = shutil.which("chromium"), _in_environment("browser", "page_client")
    found["page"] = [*page, chromium] if chromium and page else []
    return {client: command for client, command in found.items() if command}


def _in_environment(tool: str, module: str) -> list[str]:
    folder = _ROOT / ".tools" / tool
    return [str(folder / "bin/python"), "-m", f"{_MODULE}.{module}"] if (folder / ".ok").exists() else []


def _run_program(command: Sequence[str], seconds: float) -> Ledger:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(_ROOT)}
    late = seconds + _LATE_SECONDS
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True, timeout=late
    )
    if done.returncode:
        raise RuntimeError(f"{command[2]} ended with status {done.returncode}")
    return Ledger.loaded(done.stdout)


def _joined(feeding: "Sequence[Future[Ledger]]") -> Ledger:
    ledger = Ledger()
    for one in feeding:
        ledger.add(one.result())
    return ledger


def _compared(
    ledger: Ledger, servers: Sequence[ServerProcess], model: str, naming: Naming, struck: Counter[str]
) -> Findings:
    assert settles(lambda: all(_is_whole(server) for server in servers), _READY_SECONDS)
    found: dict[str, list[str]] = {verdict: [] for verdict in _VERDICTS}
    with httpx.Client(timeout=30) as client:
        for number, log in enumerate(ledger.sessions):
            url = f"http://127.0.0.1:{servers[number % len(servers)].port}/v1"
            for verdict in _verdicts(client, url, model, log):
                found[verdict].append(f"{log.client} {log.session_id}")
    alive, told = len(found.pop("alive")), len(found.pop("told"))
    return Findings(naming, dict(struck), dict(ledger.counts), alive, told, **found)


def _is_whole(server: ServerProcess) -> bool:
    """Returns whether a server uses its store again."""
    return httpx.get(f"http://127.0.0.1:{server.port}/v1/sessions").is_success


def _verdicts(client: httpx.Client, url: str, model: str, log: SessionLog) -> list[str]:
    """Compares a session with what it was sent: how far it is, and the distribution after it, bit for bit."""
    answer = client.get(f"{url}/sessions/{log.session_id}")
    if answer.status_code in _GONE:
        told = log.told or answer.json()["error"]["code"]
        return ["told", "mistold"] if told == "session_not_found" else ["told"]
    info = answer.raise_for_status().json()
    if log.told is not None or info["position"] < len(log.text):
        return [
            "lost"
        ]  # one that was said to be lost and is served again has come back without its last feeds
    if info["position"] > len(log.text) or (log.revision is not None and info["revision"] != log.revision):
        return ["doubled"]
    has = client.post(f"{url}/sessions/{log.session_id}/next", json={}).raise_for_status().json()
    wanted = client.post(f"{url}/next", json={"model": model, "input": log.text}).raise_for_status().json()
    return ["alive"] if has["data"] == wanted["data"] else ["other"]
