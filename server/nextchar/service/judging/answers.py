"""Makes the answers about judges and their verdicts. Pure functions."""

from collections.abc import Sequence
from typing import Any

from nextchar.model.judging.verdicts import Verdicts
from nextchar.repository.judges import ServedJudge, ServedJudges
from nextchar.schemas.base import make_usage
from nextchar.schemas.judging import (
    JudgeInfo,
    JudgeList,
    JudgeResponse,
    Reasons,
    SurprisingChar,
    Verdict,
)

# Of the card, what is long and of use to the judge alone.
_CURVES: dict[str, Any] = {"curves": True, "score": True, "normal": {"vocabulary"}}


def judge_response(
    served: ServedJudge, found: Verdicts, num_chars: int, *, return_reasons: bool
) -> JudgeResponse:
    """Makes the answer to a request."""
    asked, normal = found.asked, served.judge.card.normal
    return JudgeResponse(
        judge=served.name,
        judge_version=served.version,
        model=normal.model,
        model_version=normal.version,
        false_alarm_rate=asked.rate,
        false_alarm_low=asked.low,
        false_alarm_high=asked.high,
        warning=asked.warning,
        data=_verdicts(found, return_reasons=return_reasons),
        usage=make_usage(num_chars),
    )


def _verdicts(found: Verdicts, *, return_reasons: bool) -> list[Verdict]:
    kinds, ratios = _likeliest(found)
    columns = (found.is_flagged, found.p_value, found.low, found.high, found.score)
    rows = zip(*(column.tolist() for column in columns), kinds, ratios, strict=True)
    return [
        Verdict.model_construct(
            index=i,
            is_flagged=is_flagged,
            p_value=p_value,
            low=low,
            high=high,
            score=score,
            kind=kind,
            log_ratio=ratio,
            reasons=_reasons(found, i) if return_reasons else None,
        )
        for i, (is_flagged, p_value, low, high, score, kind, ratio) in enumerate(rows)
    ]


def _likeliest(found: Verdicts) -> tuple[Sequence[str | None], Sequence[float | None]]:
    """Returns the likeliest kind of each string and the log ratio to it, None for those that are normal."""
    ratios = found.kind_log_ratios
    if ratios is None:
        return [None] * len(found), [None] * len(found)
    best, most = ratios.argmax(axis=1).tolist(), ratios.max(axis=1).tolist()
    kinds = [found.kinds[k] if ratio > 0 else None for k, ratio in zip(best, most, strict=True)]
    return kinds, [ratio if ratio > 0 else None for ratio in most]


def _reasons(found: Verdicts, index: int) -> Reasons:
    why = found.why(index)
    characters = [
        SurprisingChar(
            char=one.character,
            offset=one.offset,
            bits=one.bits,
            special="end" if one.character is None else None,
        )
        for one in why.characters
    ]
    return Reasons(characters=characters, evidence=why.evidence)


def judge_list(judges: ServedJudges) -> JudgeList:
    """Lists the judges of the folder, and why others in it cannot be read."""
    failures = {
        f"{name}:{version}" if version else name: why for (name, version), why in judges.failures.items()
    }
    return JudgeList(data=[judge_info(judges, judge) for judge in judges], failures=failures)


def judge_info(judges: ServedJudges, served: ServedJudge, *, with_card: bool = False) -> JudgeInfo:
    """Describes a judge."""
    card = served.judge.card
    reason = judges.reason(served)
    usable = [judge for judge in judges if judge.name == served.name and not judges.reason(judge)]
    return JudgeInfo(
        id=served.name if usable[-1:] == [served] else f"{served.name}:{served.version}",
        version=served.version,
        model=card.normal.model,
        model_version=card.normal.version,
        ready=not reason,
        reason=reason or None,
        kinds=[kind.name for kind in card.references.kinds] if card.references else [],
        num_normal=card.num_normal,
        default_rate=card.default_rate,
        finest_rate=served.judge.finest_rate,
        card=card.model_dump(mode="json", exclude=_CURVES) if with_card else None,
    )
