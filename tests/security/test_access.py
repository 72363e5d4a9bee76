"""The tables of routes and methods give the scopes; what is in no table is not served."""

from collections.abc import Iterator

import grpc
import pytest
from support.live_server import LiveServer

from nextchar.rest.app import RestApp
from nextchar.rest.http.path_table import PathTable
from nextchar.rest.playground import page_routes
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.methods import rpc_methods, rpc_needs
from nextchar.security.access import OPEN, Need
from nextchar.security.principal import ANONYMOUS, Scope


@pytest.fixture(scope="module")
def rest(server: LiveServer) -> RestApp:
    return RestApp(
        server.app.service, max_body_bytes=1, request_timeout_seconds=1, more_routes=page_routes(1)
    )


@pytest.fixture(scope="module")
def rpc_paths(server: LiveServer) -> dict[str, Need]:
    handler = RpcHandler(server.app.service.metrics, request_timeout_seconds=1)
    return rpc_needs(rpc_methods(server.app.service, handler))


def test_every_route_that_is_served_is_in_the_table(rest: RestApp) -> None:
    served = {route.path for route in rest.app.routes}  # type: ignore[attr-defined]
    assert "/v1/sessions/{session_id}/feed" in served
    assert served == set(rest.needs)


def test_every_method_that_is_served_is_in_the_table(server: LiveServer, rpc_paths: dict[str, Need]) -> None:
    served = set(calls_by_reflection(server.grpc_address))
    assert "/nextchar.v1.Sessions/Converse" in served
    assert served <= set(rpc_paths)


def calls_by_reflection(address: str) -> Iterator[str]:
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        for name in database.get_services():
            for method in pool.FindServiceByName(name).methods:
                yield f"/{name}/{method.name}"


def test_only_health_and_the_page_are_open(rest: RestApp, rpc_paths: dict[str, Need]) -> None:
    needs = rest.needs | rpc_paths
    opened = {path for path, need in needs.items() if need == OPEN and "health" not in path.lower()}
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
def test_a_path_needs_what_its_template_says(rest: RestApp, path: str, need: object) -> None:
    assert PathTable(rest.needs).find(path) == need


def test_without_a_file_of_keys_everybody_may_do_everything(server: LiveServer) -> None:
    assert ANONYMOUS.scopes == frozenset(Scope)
    assert server.get("/v1/sessions").status_code == 200
