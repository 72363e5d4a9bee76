"""When each alert fires: what a healthy server's series are, and which of them are otherwise."""

from dataclasses import dataclass

_M = 'job="n",model="m",version="1",instance="i"'
_R = 'job="n",model="m",version="1",route="next",protocol="rest",instance="i"'


def _requests(outcome: str) -> str:
    return f'nextchar_requests_total{{{_R},outcome="{outcome}"}}'


def _below(bound: str) -> str:
    return f'nextchar_request_duration_seconds_bucket{{{_R},le="{bound}"}}'


DURATIONS = f"nextchar_request_duration_seconds_count{{{_R}}}"
QUEUED = f"nextchar_queue_duration_seconds_bucket{{{_M}"
STORED = 'nextchar_state_store_duration_seconds_bucket{job="n",op="replace"'
_BITS = 'nextchar_score_bits_per_char_{}{{job="n",model="m"}}'
ALL = "x2000"  # stands for as many samples as a case looks at
STEADY = "0+600x2000"

HEALTHY = {
    _requests("success"): STEADY,
    _requests("rejected"): "0x2000",
    DURATIONS: STEADY,
    _below("1.0"): STEADY,
    _below("+Inf"): STEADY,
    f'{QUEUED},le="0.0001"}}': STEADY,
    f'{QUEUED},le="5.0"}}': STEADY,
    f'{QUEUED},le="+Inf"}}': STEADY,
    f"nextchar_model_info{{{_M}}}": "1x2000",
    f"nextchar_model_ready{{{_M}}}": "1x2000",
    'nextchar_background_task_failures_total{job="n",instance="i",task="model_watcher"}': "0x2000",
    f"nextchar_queue_depth{{{_M}}}": "10x2000",
    f"nextchar_queue_limit{{{_M}}}": "100x2000",
    f"nextchar_lanes_running{{{_M}}}": "10x2000",
    f"nextchar_lanes_limit{{{_M}}}": "100x2000",
    f'{STORED},le="0.001"}}': STEADY,
    f'{STORED},le="1.0"}}': STEADY,
    f'{STORED},le="+Inf"}}': STEADY,
    'nextchar_state_store_duration_seconds_count{job="n",op="replace"}': STEADY,
    'nextchar_state_store_errors_total{job="n",op="replace"}': "0x2000",
    'nextchar_session_conflicts_total{job="n"}': "0x2000",
    'nextchar_session_lookups_total{job="n",result="hit"}': STEADY,
    'nextchar_session_lookups_total{job="n",result="missing"}': "0x2000",
    _BITS.format("sum"): "0+1200x2000",
    _BITS.format("count"): STEADY,
    'nextchar_unknown_chars_total{job="n",model="m"}': "0x2000",
    'nextchar_chars_total{job="n",model="m",kind="scored"}': STEADY,
    'process_open_fds{job="n",instance="i"}': "50x2000",
    'process_max_fds{job="n",instance="i"}': "1000x2000",
}


@dataclass(frozen=True)
class Case:
    """Series that are not healthy, from the start; None is one that is not there; what fires after a while."""

    changed: dict[str, str | None]
    fires: set[str]
    at: str = "60m"
    interval: str = "1m"

    @property
    def num_samples(self) -> int:
        """The samples up to the look, and a few more."""
        minutes = {"m": 1, "h": 60}
        at, interval = (int(span[:-1]) * minutes[span[-1]] for span in (self.at, self.interval))
        return at // interval + 10


CASES = {
    "nothing is wrong": Case({}, set()),
    "nothing is wrong for a day": Case({}, set(), at="26h", interval="5m"),
    "nobody asks": Case(
        {_requests("success"): "5x2000", DURATIONS: "5x2000", _below("1.0"): "5x2000"}, set()
    ),
    "one in twenty fails": Case(
        {_requests("error"): "0+30x2000"}, {"NextcharErrorBudgetBurnsFast", "NextcharErrorBudgetBurns"}
    ),
    "one in a hundred is late": Case({_requests("timeout"): "0+6x2000"}, {"NextcharErrorBudgetBurns"}),
    "callers' faults are not ours": Case({_requests("invalid"): "0+600x2000"}, set()),
    "failures that ended an hour ago": Case({_requests("error"): "0+60x30 1800x2000"}, set(), at="120m"),
    "a fifth is slow": Case(
        {_below("1.0"): "0+480x2000"}, {"NextcharLatencyBudgetBurnsFast", "NextcharLatencyBudgetBurns"}
    ),
    "one in ten is slow": Case({_below("1.0"): "0+540x2000"}, {"NextcharLatencyBudgetBurns"}),
    "no server": Case({f"nextchar_model_info{{{_M}}}": None}, {"NextcharAbsent"}),
    "an engine has failed": Case({f"nextchar_model_ready{{{_M}}}": "0x2000"}, {"NextcharModelNotReady"}),
    "a background task has failed": Case(
        {'nextchar_background_task_failures_total{job="n",instance="i",task="model_watcher"}': "1x2000"},
        {"NextcharBackgroundTaskFailed"},
    ),
    "connections leak": Case(
        {'process_open_fds{job="n",instance="i"}': "900x2000"}, {"NextcharFilesExhausted"}
    ),
    "some are refused": Case({_requests("rejected"): "0+60x2000"}, {"NextcharRejecting"}),
    "the queue fills": Case({f"nextchar_queue_depth{{{_M}}}": "60x2000"}, {"NextcharQueueFilling"}),
    "the queue is slow": Case({f'{QUEUED},le="0.0001"}}': "0x2000"}, {"NextcharQueueSlow"}),
    "rows are full": Case({f"nextchar_lanes_running{{{_M}}}": "95x2000"}, {"NextcharLanesSaturated"}),
    "the store fails": Case(
        {'nextchar_state_store_errors_total{job="n",op="replace"}': "0+60x2000"},
        {"NextcharSessionStoreFails"},
    ),
    "the store is slow": Case({f'{STORED},le="0.001"}}': "0x2000"}, {"NextcharSessionStoreSlow"}),
    "writers collide": Case(
        {'nextchar_session_conflicts_total{job="n"}': "0+60x2000"}, {"NextcharSessionConflicts"}
    ),
    "sessions are gone": Case(
        {'nextchar_session_lookups_total{job="n",result="missing"}': "0+300x2000"},
        {"NextcharSessionsMissing"},
    ),
    "scores move": Case(
        {_BITS.format("sum"): "0+1200x300 360000+2400x1000"},
        {"NextcharScoresShifted"},
        at="27h",
        interval="5m",
    ),
    "another alphabet": Case(
        {'nextchar_unknown_chars_total{job="n",model="m"}': "0+60x2000"},
        {"NextcharUnknownCharacters"},
        at="100m",
    ),
    "normal strings change": Case(
        {
            'nextchar_verdict_p_value_bucket{job="n",judge="j",version="1",le="0.5"}': "0+240x2000",
            'nextchar_verdict_p_value_count{job="n",judge="j",version="1"}': "0+300x2000",
        },
        {"NextcharVerdictsShifted"},
        at="100m",
    ),
}
