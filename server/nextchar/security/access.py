"""Which scope each route and each RPC needs: the one table, for both doors. What is not in it is refused.

A test holds it against the routes and services that there are: a new route needs its line here.
"""

from collections.abc import Iterable

from nextchar.errors import RouteNotFound
from nextchar.security.principal import Principal, Scope

OPEN = "open"  # no key is needed: health, and the files of the page, which asks for one
ANY = "any"  # any good key will do

Need = str | Scope

_MODEL_PATHS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
_OF_A_MODEL: dict[str, Need] = {
    "": ANY,
    "/ready": ANY,
    "/config": ANY,
    "/stats": ANY,
    "/infer": Scope.INFER,
    "/generate": Scope.INFER,
    "/generate_stream": Scope.INFER,
}

ROUTES: dict[str, Need] = {
    "/v2/health/live": OPEN,
    "/v2/health/ready": OPEN,
    "/livez": OPEN,
    "/readyz": OPEN,
    "/health": OPEN,
    "/": OPEN,
    "/web/{digest}/{name}": OPEN,
    "/web/{digest}/{folder}/{name}": OPEN,
    "/version": ANY,
    "/docs": ANY,
    "/openapi.json": ANY,
    "/metrics": Scope.METRICS,
    "/v1/models": ANY,
    "/v1/models/{model_id}": ANY,
    "/v1/score": Scope.INFER,
    "/v1/next": Scope.INFER,
    "/v1/completions": Scope.INFER,
    "/v1/inspect": Scope.INFER,
    "/v1/sessions": Scope.SESSIONS,
    "/v1/sessions/{session_id}": Scope.SESSIONS,
    "/v1/sessions/{session_id}/feed": Scope.SESSIONS,
    "/v1/sessions/{session_id}/next": Scope.SESSIONS,
    "/v1/sessions/{session_id}/score": Scope.SESSIONS,
    "/v1/sessions/{session_id}/sample": Scope.SESSIONS,
    "/v1/sessions/{session_id}/fork": Scope.SESSIONS,
    "/v1/sessions/{session_id}/checkpoint": Scope.SESSIONS,
    "/v1/sessions/{session_id}/rollback": Scope.SESSIONS,
    "/v1/sessions/{session_id}/renew": Scope.SESSIONS,
    "/v1/sessions/{session_id}/rewind": Scope.SESSIONS,
    "/v1/sessions/{session_id}/state": Scope.SESSIONS,
    "/v1/compare": Scope.INFER,
    "/v1/limits": ANY,
    "/tokenize": Scope.INFER,
    "/detokenize": Scope.INFER,
    "/tokenizer_info": ANY,
    "/v2": ANY,
    "/v2/models/stats": ANY,
    **{path + end: need for path in _MODEL_PATHS for end, need in _OF_A_MODEL.items()},
    "/v2/repository/index": Scope.ADMIN,
    "/v2/repository/models/{model}/load": Scope.ADMIN,
    "/v2/repository/models/{model}/unload": Scope.ADMIN,
}

_SESSION_CALLS = (
    *("Create", "Get", "List", "Delete", "Feed", "Next", "Score", "Sample", "Fork", "Checkpoint", "Rollback"),
    *("Rewind", "Renew", "ExportState", "ImportState", "Converse"),
)

_NEXTCHAR_CALLS = (
    *("Score", "ScoreStream", "Next", "Complete", "Inspect"),
    *("Compare", "Tokenize", "Detokenize"),
)
_INFERENCE_CALLS: dict[str, Need] = {
    "ServerLive": OPEN,
    "ServerReady": OPEN,
    "ModelReady": ANY,
    "ServerMetadata": ANY,
    "ModelMetadata": ANY,
    "ModelConfig": ANY,
    "ModelStatistics": ANY,
    "ModelInfer": Scope.INFER,
    "ModelStreamInfer": Scope.INFER,
    "RepositoryIndex": Scope.ADMIN,
    "RepositoryModelLoad": Scope.ADMIN,
    "RepositoryModelUnload": Scope.ADMIN,
}

RPCS: dict[str, Need] = {
    "/grpc.health.v1.Health/Check": OPEN,
    "/grpc.health.v1.Health/Watch": OPEN,
    "/grpc.health.v1.Health/List": OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": ANY,
    "/nextchar.v1.Nextchar/Limits": ANY,
    "/nextchar.v1.Nextchar/TokenizerInfo": ANY,
    **{f"/nextchar.v1.Nextchar/{name}": Scope.INFER for name in _NEXTCHAR_CALLS},
    **{f"/inference.GRPCInferenceService/{name}": need for name, need in _INFERENCE_CALLS.items()},
    **{f"/nextchar.v1.Sessions/{name}": Scope.SESSIONS for name in _SESSION_CALLS},
}


class AccessTable:
    """Finds what a path needs, whatever stands in its {…} places."""

    def __init__(self, needs: dict[str, Need]) -> None:
        self._exact = {path: need for path, need in needs.items() if "{" not in path}
        self._tree: dict[str, object] = {}
        for path, need in needs.items():
            _plant(self._tree, path.split("/"), need)

    def need(self, path: str) -> Need | None:
        """What the path needs; None if it is no known one."""
        exact = self._exact.get(path)
        return exact if exact is not None else _walk(self._tree, path.split("/"))


def _plant(tree: dict[str, object], parts: Iterable[str], need: Need) -> None:
    for part in parts:
        branch = tree.setdefault("{}" if part.startswith("{") else part, {})
        assert isinstance(branch, dict)
        tree = branch
    tree["/"] = need  # no part of a path holds a slash


def _walk(tree: dict[str, object], parts: list[str]) -> Need | None:
    if not parts:
        need = tree.get("/")
        return need if isinstance(need, str) else None
    for name in (parts[0], "{}"):
        branch = tree.get(name)
        if isinstance(branch, dict) and (need := _walk(branch, parts[1:])) is not None:
            return need
    return None


def permit(principal: Principal, need: Need | None) -> None:
    """Let a caller with a key through, or not.

    Raises:
        RouteNotFound: nobody has said what this needs, so it is as if it were not there.
        PermissionDenied: the key does not reach so far.
    """
    if need is None:
        raise RouteNotFound("there is no such route")
    if isinstance(need, Scope):
        principal.require(need)
