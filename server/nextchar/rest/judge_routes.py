"""Lists the routes of judges, and answers what is asked about them."""

from functools import partial

from fastapi import Request, Response

from nextchar.rest.handler import JSON
from nextchar.rest.route import RestCall, RestRoute, answering, get, post
from nextchar.schemas.base import RequestFields
from nextchar.schemas.judging import JudgeInfo, JudgeList, JudgeRequest, JudgeResponse
from nextchar.security.access import ANY
from nextchar.security.principal import Scope
from nextchar.service.judging.judger import Judger

_JUDGES = "/v1/judges"


class ReloadRequest(RequestFields):
    """Reads the judges folder again; it has no fields."""


def judge_routes(judger: Judger) -> list[RestRoute]:
    """Lists the routes that judge strings, list judges and read their folder again."""
    handlers, about = JudgeHandlers(judger), partial(get, need=ANY, tags=("judges",))
    return [
        post(
            "/v1/judge",
            JudgeRequest,
            JudgeResponse,
            answering(judger.judge),
            label="judge",
            need=Scope.INFER,
            tags=("judges",),
        ),
        about(_JUDGES, handlers.judges, JudgeList),
        about(f"{_JUDGES}/{{judge_id}}", handlers.judge_info, JudgeInfo),
        post(
            "/v1/reload_judges",
            ReloadRequest,
            JudgeList,
            handlers.reload,
            body_required=False,
            label="repository",
            need=Scope.ADMIN,
            name="reload_judges",
            tags=("judges",),
        ),
    ]


class JudgeHandlers:
    """Answers requests about judges. Handlers that are given the request are not observed."""

    def __init__(self, judger: Judger) -> None:
        self._judger = judger

    async def judges(self, _request: Request) -> Response:
        """Lists the judges, whether they can be asked, and why others in their folder cannot be read."""
        return Response(self._judger.listing().model_dump_json(), media_type=JSON)

    async def judge_info(self, request: Request) -> Response:
        """Returns the judge that answers for a name or name:version, with its card."""
        return Response(self._judger.info(request.path_params["judge_id"]).model_dump_json(), media_type=JSON)

    async def reload(self, _call: RestCall[ReloadRequest]) -> JudgeList:
        """Reads new and changed judges in the folder, forgets those that are gone, and lists them."""
        await self._judger.judges.reload()
        return self._judger.listing()
