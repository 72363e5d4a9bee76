"""The table of scopes has every route and every call; what is not in it is not there."""

from collections.abc import Iterator

import grpc
import httpx
import pytest
from support.live_server import LiveServer

from nextchar.rest.app import RestApp
from nextchar.rest.playground import page_routes
from nextchar.security.access import OPEN, ROUTES, RPCS, AccessTable
from nextchar.security.principal import ANONYMOUS, Scope


def test_every_route_has_a_scope(server: LiveServer) -> None:
    door = RestApp(server.app.service, max_body_bytes=1, request_timeout_seconds=1)
    table = AccessTable(ROUTES)
    found = [*paths(door.app.routes), *paths(page_routes(1))]
    assert "/v1/sessions/{session_id}/feed" in found
    assert [path for path in found if table.need(path) is None] == []


def paths(routes: object) -> Iterator[str]:
    for route in routes:  # type: ignore[attr-defined]
        path = getattr(route, "path", None)
        if path is not None and not hasattr(route, "routes"):
            yield path
        else:
            yield from paths(getattr(route, "routes", None) or route.original_router.routes)


def test_every_call_has_a_scope(server: LiveServer) -> None:
    found = set(calls_by_reflection(server.grpc_address))
    assert "/nextchar.v1.Sessions/Converse" in found
    assert found - set(RPCS) == set()


def calls_by_reflection(address: str) -> Iterator[str]:
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        for name in database.get_services():
            for method in pool.FindServiceByName(name).methods:
                yield f"/{name}/{method.name}"


def test_only_health_and_the_page_are_open() -> None:
    opened = {path for path, need in (ROUTES | RPCS).items() if need == OPEN and "health" not in path.lower()}
    service = "/inference.GRPCInferenceService/"
    page = {"/", "/web/{digest}/{name}", "/web/{digest}/{folder}/{name}"}
    assert opened == page | {"/livez", "/readyz", f"{service}ServerLive", f"{service}ServerReady"}


@pytest.mark.parametrize(
    ("path", "need"),
    [
        ("/v1/sessions/feed", Scope.SESSIONS),
        ("/v1/sessions/any-id/feed", Scope.SESSIONS),
        ("/v1/sessions/a/b/feed", None),
        ("/v1/sessions/a/unknown", None),
        ("/v1/score/", None),
        ("//v1/score", None),
        ("/v1", None),
        ("", None),
        ("/web", None),
    ],
)
def test_a_path_needs_what_its_template_says(path: str, need: object) -> None:
    assert AccessTable(ROUTES).need(path) == need


def test_without_a_file_of_keys_everybody_may_do_everything(server: LiveServer) -> None:
    assert ANONYMOUS.scopes == frozenset(Scope)
    assert httpx.get(server.url + "/v1/sessions").status_code == 200
