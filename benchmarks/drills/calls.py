"""Sends thousands of gRPC calls at once, and resets calls by the thousand beside an honest client."""

import multiprocessing
import threading
from collections import Counter
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2

from benchmarks.drills.process import ServerProcess, settles
from benchmarks.drills.rapid_reset import flood
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

_SECONDS = 120
_DETAILS = "grpc-status-details-bin"
_NEXT = "/nextchar.v1.Nextchar/Next"


@dataclass(frozen=True, slots=True)
class CallsReport:
    """Reports calls at once: how they ended, and how many the server counted."""

    num_calls: int
    num_processes: int
    by_status: dict[str, int]
    num_without_advice: int
    num_counted: int

    @property
    def good(self) -> bool:
        real = set(self.by_status) <= {"OK", "RESOURCE_EXHAUSTED"}
        return real and not self.num_without_advice and self.num_counted == self.num_calls


@dataclass(frozen=True, slots=True)
class ResetReport:
    """Reports a flood of calls that are reset at once, and the calls of an honest client meanwhile."""

    num_reset: int
    num_honest: int
    failed: dict[str, int]

    @property
    def good(self) -> bool:
        return self.num_honest > 0 and not self.failed


def calls_at_once(server: ServerProcess, model: str, *, num_calls: int, num_processes: int) -> CallsReport:
    """Sends all calls from several processes, each over a connection of its own, before any has ended."""
    before = server.metric("nextchar_requests_total")
    share = num_calls // num_processes
    with multiprocessing.get_context("spawn").Pool(num_processes) as pool:
        work = [(server.grpc_port, model, share)] * num_processes
        found = pool.starmap(_send, work)
    statuses: Counter[str] = Counter()
    for by_status, _ in found:
        statuses += by_status
    total = share * num_processes
    settles(lambda: server.metric("nextchar_requests_total") - before >= total, 10)
    counted = int(server.metric("nextchar_requests_total") - before)
    return CallsReport(total, num_processes, dict(statuses), sum(n for _, n in found), counted)


def _send(port: int, model: str, num_calls: int) -> tuple[Counter[str], int]:
    """Sends calls and returns their statuses, and how many refusals had no advice."""
    statuses: Counter[str] = Counter()
    num_without_advice = 0
    ended, last = threading.Lock(), threading.Event()

    def note(call: grpc.Future) -> None:
        nonlocal num_without_advice
        with ended:
            statuses[call.code().name] += 1
            if call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and not _is_advised(call):
                num_without_advice += 1
            if statuses.total() == num_calls:
                last.set()

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = nextchar_pb2_grpc.NextcharStub(channel)
        for _ in range(num_calls):
            request = pb.NextRequest(model=model, input="a")
            stub.Next.future(request, timeout=_SECONDS).add_done_callback(note)
        last.wait(_SECONDS)
    return statuses, num_without_advice


def _is_advised(call: grpc.Future) -> bool:
    """Returns whether a refusal says when to retry."""
    details = dict(call.trailing_metadata() or ()).get(_DETAILS, b"")
    kinds = [packed.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for packed in _status(details).details]
    return any(kinds)


def _status(details: bytes) -> status_pb2.Status:
    return status_pb2.Status.FromString(details)


def honest_beside_resets(
    server: ServerProcess, model: str, *, num_floods: int, seconds: float
) -> ResetReport:
    """Floods a server from several processes while an honest client makes one call after the other."""
    failed: Counter[str] = Counter()
    num_honest = 0
    with multiprocessing.get_context("spawn").Pool(num_floods) as pool:
        work = [(server.grpc_port, _NEXT, seconds)] * num_floods
        floods = pool.starmap_async(_flood, work)
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            stub = nextchar_pb2_grpc.NextcharStub(channel)
            while not floods.ready():
                try:
                    stub.Next(pb.NextRequest(model=model, input="a"), timeout=_SECONDS)
                except grpc.RpcError as error:
                    failed[error.code().name] += 1
                num_honest += 1
        return ResetReport(sum(floods.get()), num_honest, dict(failed))


def _flood(port: int, path: str, seconds: float) -> int:
    return flood(port, path, num_calls=2**31, seconds=seconds)
