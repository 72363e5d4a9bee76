"""Calls whose clients have left while the server could not look: nothing of them is done."""

import threading

import grpc
from support.live_server import LiveServer
from support.waiting import until

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

_SECONDS = 30


def test_a_change_is_not_done_for_who_gave_up_while_the_server_was_stopped(server: LiveServer) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        sessions = nextchar_pb2_grpc.SessionsStub(channel)
        made = sessions.Create(pb.CreateSessionRequest(model="tiny", prime="ab"))
        reached, free = threading.Event(), threading.Event()
        server.loop.call_soon_threadsafe(lambda: (reached.set(), free.wait(_SECONDS)))
        assert reached.wait(_SECONDS)
        try:
            request = pb.FeedRequest(session_id=made.session_id, text="hello")
            calls = [sessions.Feed.future(request, timeout=_SECONDS) for _ in range(10)]
            for call in calls:
                call.cancel()
        finally:
            free.set()
        until(lambda: server.metric("nextchar_requests_in_progress") == 0)
        until(server.is_idle)
        found = sessions.Get(pb.SessionId(session_id=made.session_id))
        assert found.position == made.position
        sessions.Delete(pb.SessionId(session_id=made.session_id))
