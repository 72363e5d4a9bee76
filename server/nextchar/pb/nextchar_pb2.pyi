from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AdaptiveOptions(_message.Message):
    __slots__ = ("orders", "window", "learn_drawn")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LEARN_DRAWN_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedScalarFieldContainer[int]
    window: int
    learn_drawn: bool
    def __init__(self, orders: _Optional[_Iterable[int]] = ..., window: _Optional[int] = ..., learn_drawn: _Optional[bool] = ...) -> None: ...

class ScoreRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "input", "context", "include_end", "return_chars", "state", "return_state", "adaptive")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_END_FIELD_NUMBER: _ClassVar[int]
    RETURN_CHARS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RETURN_STATE_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    input: _containers.RepeatedScalarFieldContainer[str]
    context: str
    include_end: bool
    return_chars: bool
    state: bytes
    return_state: bool
    adaptive: AdaptiveOptions
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., input: _Optional[_Iterable[str]] = ..., context: _Optional[str] = ..., include_end: _Optional[bool] = ..., return_chars: _Optional[bool] = ..., state: _Optional[bytes] = ..., return_state: _Optional[bool] = ..., adaptive: _Optional[_Union[AdaptiveOptions, _Mapping]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("prompt_tokens", "completion_tokens", "total_tokens")
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    def __init__(self, prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., total_tokens: _Optional[int] = ...) -> None: ...

class CharScore(_message.Message):
    __slots__ = ("char", "offset", "logprob", "special", "code_point_offset", "byte_offset", "model_logprob")
    CHAR_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_FIELD_NUMBER: _ClassVar[int]
    CODE_POINT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    BYTE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    MODEL_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    char: str
    offset: int
    logprob: float
    special: str
    code_point_offset: int
    byte_offset: int
    model_logprob: float
    def __init__(self, char: _Optional[str] = ..., offset: _Optional[int] = ..., logprob: _Optional[float] = ..., special: _Optional[str] = ..., code_point_offset: _Optional[int] = ..., byte_offset: _Optional[int] = ..., model_logprob: _Optional[float] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("index", "logprob", "bits_per_char", "perplexity", "num_chars", "num_unknown", "percentile", "chars", "p_value", "model_logprob")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    BITS_PER_CHAR_FIELD_NUMBER: _ClassVar[int]
    PERPLEXITY_FIELD_NUMBER: _ClassVar[int]
    NUM_CHARS_FIELD_NUMBER: _ClassVar[int]
    NUM_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    CHARS_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    MODEL_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    index: int
    logprob: float
    bits_per_char: float
    perplexity: float
    num_chars: int
    num_unknown: int
    percentile: float
    chars: _containers.RepeatedCompositeFieldContainer[CharScore]
    p_value: float
    model_logprob: float
    def __init__(self, index: _Optional[int] = ..., logprob: _Optional[float] = ..., bits_per_char: _Optional[float] = ..., perplexity: _Optional[float] = ..., num_chars: _Optional[int] = ..., num_unknown: _Optional[int] = ..., percentile: _Optional[float] = ..., chars: _Optional[_Iterable[_Union[CharScore, _Mapping]]] = ..., p_value: _Optional[float] = ..., model_logprob: _Optional[float] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("object", "model", "model_version", "data", "usage", "begins_after", "includes_end", "state", "case_folding")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    BEGINS_AFTER_FIELD_NUMBER: _ClassVar[int]
    INCLUDES_END_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    object: str
    model: str
    model_version: str
    data: _containers.RepeatedCompositeFieldContainer[Score]
    usage: Usage
    begins_after: str
    includes_end: bool
    state: bytes
    case_folding: str
    def __init__(self, object: _Optional[str] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., data: _Optional[_Iterable[_Union[Score, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., begins_after: _Optional[str] = ..., includes_end: _Optional[bool] = ..., state: _Optional[bytes] = ..., case_folding: _Optional[str] = ...) -> None: ...

class JudgeRequest(_message.Message):
    __slots__ = ("timeout", "priority", "judge", "input", "false_alarm_rate", "return_reasons", "state", "return_state", "adaptive")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    FALSE_ALARM_RATE_FIELD_NUMBER: _ClassVar[int]
    RETURN_REASONS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RETURN_STATE_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    judge: str
    input: _containers.RepeatedScalarFieldContainer[str]
    false_alarm_rate: float
    return_reasons: bool
    state: bytes
    return_state: bool
    adaptive: AdaptiveOptions
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., judge: _Optional[str] = ..., input: _Optional[_Iterable[str]] = ..., false_alarm_rate: _Optional[float] = ..., return_reasons: _Optional[bool] = ..., state: _Optional[bytes] = ..., return_state: _Optional[bool] = ..., adaptive: _Optional[_Union[AdaptiveOptions, _Mapping]] = ...) -> None: ...

class SurprisingChar(_message.Message):
    __slots__ = ("char", "offset", "bits", "special")
    CHAR_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_FIELD_NUMBER: _ClassVar[int]
    char: str
    offset: int
    bits: float
    special: str
    def __init__(self, char: _Optional[str] = ..., offset: _Optional[int] = ..., bits: _Optional[float] = ..., special: _Optional[str] = ...) -> None: ...

class Reasons(_message.Message):
    __slots__ = ("characters", "evidence")
    class EvidenceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    characters: _containers.RepeatedCompositeFieldContainer[SurprisingChar]
    evidence: _containers.ScalarMap[str, float]
    def __init__(self, characters: _Optional[_Iterable[_Union[SurprisingChar, _Mapping]]] = ..., evidence: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("index", "is_flagged", "p_value", "low", "high", "score", "kind", "log_ratio", "reasons")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    IS_FLAGGED_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LOG_RATIO_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    index: int
    is_flagged: bool
    p_value: float
    low: float
    high: float
    score: float
    kind: str
    log_ratio: float
    reasons: Reasons
    def __init__(self, index: _Optional[int] = ..., is_flagged: _Optional[bool] = ..., p_value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., score: _Optional[float] = ..., kind: _Optional[str] = ..., log_ratio: _Optional[float] = ..., reasons: _Optional[_Union[Reasons, _Mapping]] = ...) -> None: ...

class JudgeResponse(_message.Message):
    __slots__ = ("object", "judge", "judge_version", "model", "model_version", "false_alarm_rate", "false_alarm_low", "false_alarm_high", "warning", "data", "usage", "state")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    JUDGE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    FALSE_ALARM_RATE_FIELD_NUMBER: _ClassVar[int]
    FALSE_ALARM_LOW_FIELD_NUMBER: _ClassVar[int]
    FALSE_ALARM_HIGH_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    object: str
    judge: str
    judge_version: str
    model: str
    model_version: str
    false_alarm_rate: float
    false_alarm_low: float
    false_alarm_high: float
    warning: str
    data: _containers.RepeatedCompositeFieldContainer[Verdict]
    usage: Usage
    state: bytes
    def __init__(self, object: _Optional[str] = ..., judge: _Optional[str] = ..., judge_version: _Optional[str] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., false_alarm_rate: _Optional[float] = ..., false_alarm_low: _Optional[float] = ..., false_alarm_high: _Optional[float] = ..., warning: _Optional[str] = ..., data: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., state: _Optional[bytes] = ...) -> None: ...

class CompareRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "input", "context", "include_end", "reference_model", "rank_by", "adaptive")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_END_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_MODEL_FIELD_NUMBER: _ClassVar[int]
    RANK_BY_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    input: _containers.RepeatedScalarFieldContainer[str]
    context: str
    include_end: bool
    reference_model: str
    rank_by: str
    adaptive: AdaptiveOptions
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., input: _Optional[_Iterable[str]] = ..., context: _Optional[str] = ..., include_end: _Optional[bool] = ..., reference_model: _Optional[str] = ..., rank_by: _Optional[str] = ..., adaptive: _Optional[_Union[AdaptiveOptions, _Mapping]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("index", "rank", "logprob", "bits_per_char", "num_chars", "num_unknown", "probability", "percentile", "reference_logprob", "log_ratio", "p_value", "model_logprob")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    BITS_PER_CHAR_FIELD_NUMBER: _ClassVar[int]
    NUM_CHARS_FIELD_NUMBER: _ClassVar[int]
    NUM_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    LOG_RATIO_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    MODEL_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    index: int
    rank: int
    logprob: float
    bits_per_char: float
    num_chars: int
    num_unknown: int
    probability: float
    percentile: float
    reference_logprob: float
    log_ratio: float
    p_value: float
    model_logprob: float
    def __init__(self, index: _Optional[int] = ..., rank: _Optional[int] = ..., logprob: _Optional[float] = ..., bits_per_char: _Optional[float] = ..., num_chars: _Optional[int] = ..., num_unknown: _Optional[int] = ..., probability: _Optional[float] = ..., percentile: _Optional[float] = ..., reference_logprob: _Optional[float] = ..., log_ratio: _Optional[float] = ..., p_value: _Optional[float] = ..., model_logprob: _Optional[float] = ...) -> None: ...

class CompareResponse(_message.Message):
    __slots__ = ("object", "model", "model_version", "reference_model", "reference_model_version", "rank_by", "data", "usage", "case_folding")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_MODEL_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    RANK_BY_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    object: str
    model: str
    model_version: str
    reference_model: str
    reference_model_version: str
    rank_by: str
    data: _containers.RepeatedCompositeFieldContainer[Candidate]
    usage: Usage
    case_folding: str
    def __init__(self, object: _Optional[str] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., reference_model: _Optional[str] = ..., reference_model_version: _Optional[str] = ..., rank_by: _Optional[str] = ..., data: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., case_folding: _Optional[str] = ...) -> None: ...

class TokenizeRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "prompt", "add_special_tokens", "return_token_strs")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    ADD_SPECIAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RETURN_TOKEN_STRS_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    prompt: str
    add_special_tokens: bool
    return_token_strs: bool
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., prompt: _Optional[str] = ..., add_special_tokens: _Optional[bool] = ..., return_token_strs: _Optional[bool] = ...) -> None: ...

class TokenizeResponse(_message.Message):
    __slots__ = ("model", "model_version", "count", "max_model_len", "tokens", "token_strs", "case_folding")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_MODEL_LEN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_STRS_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_version: str
    count: int
    max_model_len: int
    tokens: _containers.RepeatedScalarFieldContainer[int]
    token_strs: _containers.RepeatedScalarFieldContainer[str]
    case_folding: str
    def __init__(self, model: _Optional[str] = ..., model_version: _Optional[str] = ..., count: _Optional[int] = ..., max_model_len: _Optional[int] = ..., tokens: _Optional[_Iterable[int]] = ..., token_strs: _Optional[_Iterable[str]] = ..., case_folding: _Optional[str] = ...) -> None: ...

class DetokenizeRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "tokens")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    tokens: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., tokens: _Optional[_Iterable[int]] = ...) -> None: ...

class DetokenizeResponse(_message.Message):
    __slots__ = ("model", "model_version", "prompt")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_version: str
    prompt: str
    def __init__(self, model: _Optional[str] = ..., model_version: _Optional[str] = ..., prompt: _Optional[str] = ...) -> None: ...

class TokenizerInfoRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class TokenizerInfoResponse(_message.Message):
    __slots__ = ("tokenizer_class", "model", "model_version", "vocab_size", "symbols", "unit", "normalization", "bos_token", "eos_token", "unk_token", "pad_token", "chat_template", "max_model_len", "case_folding")
    TOKENIZER_CLASS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    VOCAB_SIZE_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    BOS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EOS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    UNK_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PAD_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHAT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MAX_MODEL_LEN_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    tokenizer_class: str
    model: str
    model_version: str
    vocab_size: int
    symbols: str
    unit: str
    normalization: str
    bos_token: str
    eos_token: str
    unk_token: str
    pad_token: str
    chat_template: str
    max_model_len: int
    case_folding: str
    def __init__(self, tokenizer_class: _Optional[str] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., vocab_size: _Optional[int] = ..., symbols: _Optional[str] = ..., unit: _Optional[str] = ..., normalization: _Optional[str] = ..., bos_token: _Optional[str] = ..., eos_token: _Optional[str] = ..., unk_token: _Optional[str] = ..., pad_token: _Optional[str] = ..., chat_template: _Optional[str] = ..., max_model_len: _Optional[int] = ..., case_folding: _Optional[str] = ...) -> None: ...

class LimitsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RequestLimits(_message.Message):
    __slots__ = ("max_body_bytes", "max_strings", "max_input_chars", "max_request_chars", "max_tokens", "max_choices", "max_inspect_chars", "strict_characters", "timeout_seconds", "queue_timeout_seconds", "max_n", "max_stops", "max_top_logprobs", "max_pattern_chars", "max_head_bytes", "max_answer_bytes", "max_adaptive_orders", "max_adaptive_order", "min_adaptive_window", "max_adaptive_window", "max_inspect_values", "receive_timeout_seconds")
    MAX_BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_STRINGS_FIELD_NUMBER: _ClassVar[int]
    MAX_INPUT_CHARS_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUEST_CHARS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_CHOICES_FIELD_NUMBER: _ClassVar[int]
    MAX_INSPECT_CHARS_FIELD_NUMBER: _ClassVar[int]
    STRICT_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_N_FIELD_NUMBER: _ClassVar[int]
    MAX_STOPS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOP_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    MAX_PATTERN_CHARS_FIELD_NUMBER: _ClassVar[int]
    MAX_HEAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_ANSWER_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_ADAPTIVE_ORDERS_FIELD_NUMBER: _ClassVar[int]
    MAX_ADAPTIVE_ORDER_FIELD_NUMBER: _ClassVar[int]
    MIN_ADAPTIVE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_ADAPTIVE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_INSPECT_VALUES_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    max_body_bytes: int
    max_strings: int
    max_input_chars: int
    max_request_chars: int
    max_tokens: int
    max_choices: int
    max_inspect_chars: int
    strict_characters: bool
    timeout_seconds: float
    queue_timeout_seconds: float
    max_n: int
    max_stops: int
    max_top_logprobs: int
    max_pattern_chars: int
    max_head_bytes: int
    max_answer_bytes: int
    max_adaptive_orders: int
    max_adaptive_order: int
    min_adaptive_window: int
    max_adaptive_window: int
    max_inspect_values: int
    receive_timeout_seconds: float
    def __init__(self, max_body_bytes: _Optional[int] = ..., max_strings: _Optional[int] = ..., max_input_chars: _Optional[int] = ..., max_request_chars: _Optional[int] = ..., max_tokens: _Optional[int] = ..., max_choices: _Optional[int] = ..., max_inspect_chars: _Optional[int] = ..., strict_characters: _Optional[bool] = ..., timeout_seconds: _Optional[float] = ..., queue_timeout_seconds: _Optional[float] = ..., max_n: _Optional[int] = ..., max_stops: _Optional[int] = ..., max_top_logprobs: _Optional[int] = ..., max_pattern_chars: _Optional[int] = ..., max_head_bytes: _Optional[int] = ..., max_answer_bytes: _Optional[int] = ..., max_adaptive_orders: _Optional[int] = ..., max_adaptive_order: _Optional[int] = ..., min_adaptive_window: _Optional[int] = ..., max_adaptive_window: _Optional[int] = ..., max_inspect_values: _Optional[int] = ..., receive_timeout_seconds: _Optional[float] = ...) -> None: ...

class OwnerLimits(_message.Message):
    __slots__ = ("max_sessions", "max_state_bytes", "max_checkpoints", "session_ttl_seconds", "max_lanes_per_key")
    MAX_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    SESSION_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_LANES_PER_KEY_FIELD_NUMBER: _ClassVar[int]
    max_sessions: int
    max_state_bytes: int
    max_checkpoints: int
    session_ttl_seconds: float
    max_lanes_per_key: int
    def __init__(self, max_sessions: _Optional[int] = ..., max_state_bytes: _Optional[int] = ..., max_checkpoints: _Optional[int] = ..., session_ttl_seconds: _Optional[float] = ..., max_lanes_per_key: _Optional[int] = ...) -> None: ...

class ModelLimits(_message.Message):
    __slots__ = ("model", "model_version", "max_lanes", "max_bulk_lanes", "max_waiting", "state_bytes", "rows_bytes", "max_waiting_bytes", "max_adaptive_table_bytes", "session_ttl_seconds")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MAX_LANES_FIELD_NUMBER: _ClassVar[int]
    MAX_BULK_LANES_FIELD_NUMBER: _ClassVar[int]
    MAX_WAITING_FIELD_NUMBER: _ClassVar[int]
    STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ROWS_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_WAITING_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_ADAPTIVE_TABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SESSION_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_version: str
    max_lanes: int
    max_bulk_lanes: int
    max_waiting: int
    state_bytes: int
    rows_bytes: int
    max_waiting_bytes: int
    max_adaptive_table_bytes: int
    session_ttl_seconds: float
    def __init__(self, model: _Optional[str] = ..., model_version: _Optional[str] = ..., max_lanes: _Optional[int] = ..., max_bulk_lanes: _Optional[int] = ..., max_waiting: _Optional[int] = ..., state_bytes: _Optional[int] = ..., rows_bytes: _Optional[int] = ..., max_waiting_bytes: _Optional[int] = ..., max_adaptive_table_bytes: _Optional[int] = ..., session_ttl_seconds: _Optional[float] = ...) -> None: ...

class LimitsResponse(_message.Message):
    __slots__ = ("request", "owner", "models")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    request: RequestLimits
    owner: OwnerLimits
    models: _containers.RepeatedCompositeFieldContainer[ModelLimits]
    def __init__(self, request: _Optional[_Union[RequestLimits, _Mapping]] = ..., owner: _Optional[_Union[OwnerLimits, _Mapping]] = ..., models: _Optional[_Iterable[_Union[ModelLimits, _Mapping]]] = ...) -> None: ...

class NextRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "input", "top", "state", "return_state", "adaptive")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RETURN_STATE_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    input: str
    top: int
    state: bytes
    return_state: bool
    adaptive: AdaptiveOptions
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., input: _Optional[str] = ..., top: _Optional[int] = ..., state: _Optional[bytes] = ..., return_state: _Optional[bool] = ..., adaptive: _Optional[_Union[AdaptiveOptions, _Mapping]] = ...) -> None: ...

class NextChar(_message.Message):
    __slots__ = ("char", "id", "logprob", "probability", "special", "model_logprob")
    CHAR_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_FIELD_NUMBER: _ClassVar[int]
    MODEL_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    char: str
    id: int
    logprob: float
    probability: float
    special: str
    model_logprob: float
    def __init__(self, char: _Optional[str] = ..., id: _Optional[int] = ..., logprob: _Optional[float] = ..., probability: _Optional[float] = ..., special: _Optional[str] = ..., model_logprob: _Optional[float] = ...) -> None: ...

class NextResponse(_message.Message):
    __slots__ = ("model", "model_version", "data", "entropy_bits", "usage", "state", "case_folding")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_BITS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_version: str
    data: _containers.RepeatedCompositeFieldContainer[NextChar]
    entropy_bits: float
    usage: Usage
    state: bytes
    case_folding: str
    def __init__(self, model: _Optional[str] = ..., model_version: _Optional[str] = ..., data: _Optional[_Iterable[_Union[NextChar, _Mapping]]] = ..., entropy_bits: _Optional[float] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., state: _Optional[bytes] = ..., case_folding: _Optional[str] = ...) -> None: ...

class CompletionRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "prompt", "max_tokens", "temperature", "top_k", "top_p", "min_p", "seed", "stop", "echo", "logprobs", "logit_bias", "presence_penalty", "frequency_penalty", "repetition_penalty", "stream_options", "prompts", "prompt_token_ids", "n", "best_of", "prompt_logprobs", "suffix", "user", "request_id", "min_tokens", "stop_token_ids", "include_stop_str_in_output", "allowed_chars", "regex", "post_sampling_logprobs", "return_token_ids", "typical_p", "state", "return_state", "session_id", "if_revision", "adaptive")
    class LogitBiasEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    ECHO_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    LOGIT_BIAS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    STREAM_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    BEST_OF_FIELD_NUMBER: _ClassVar[int]
    PROMPT_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    SUFFIX_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STOP_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STOP_STR_IN_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_CHARS_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    POST_SAMPLING_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    RETURN_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TYPICAL_P_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RETURN_STATE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    prompt: str
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    seed: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    echo: bool
    logprobs: int
    logit_bias: _containers.ScalarMap[str, float]
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    stream_options: StreamOptions
    prompts: _containers.RepeatedScalarFieldContainer[str]
    prompt_token_ids: _containers.RepeatedCompositeFieldContainer[TokenIds]
    n: int
    best_of: int
    prompt_logprobs: int
    suffix: str
    user: str
    request_id: str
    min_tokens: int
    stop_token_ids: _containers.RepeatedScalarFieldContainer[int]
    include_stop_str_in_output: bool
    allowed_chars: str
    regex: str
    post_sampling_logprobs: bool
    return_token_ids: bool
    typical_p: float
    state: bytes
    return_state: bool
    session_id: str
    if_revision: int
    adaptive: AdaptiveOptions
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., prompt: _Optional[str] = ..., max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., min_p: _Optional[float] = ..., seed: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., echo: _Optional[bool] = ..., logprobs: _Optional[int] = ..., logit_bias: _Optional[_Mapping[str, float]] = ..., presence_penalty: _Optional[float] = ..., frequency_penalty: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., stream_options: _Optional[_Union[StreamOptions, _Mapping]] = ..., prompts: _Optional[_Iterable[str]] = ..., prompt_token_ids: _Optional[_Iterable[_Union[TokenIds, _Mapping]]] = ..., n: _Optional[int] = ..., best_of: _Optional[int] = ..., prompt_logprobs: _Optional[int] = ..., suffix: _Optional[str] = ..., user: _Optional[str] = ..., request_id: _Optional[str] = ..., min_tokens: _Optional[int] = ..., stop_token_ids: _Optional[_Iterable[int]] = ..., include_stop_str_in_output: _Optional[bool] = ..., allowed_chars: _Optional[str] = ..., regex: _Optional[str] = ..., post_sampling_logprobs: _Optional[bool] = ..., return_token_ids: _Optional[bool] = ..., typical_p: _Optional[float] = ..., state: _Optional[bytes] = ..., return_state: _Optional[bool] = ..., session_id: _Optional[str] = ..., if_revision: _Optional[int] = ..., adaptive: _Optional[_Union[AdaptiveOptions, _Mapping]] = ...) -> None: ...

class TokenIds(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamOptions(_message.Message):
    __slots__ = ("min_event_chars", "max_event_seconds")
    MIN_EVENT_CHARS_FIELD_NUMBER: _ClassVar[int]
    MAX_EVENT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    min_event_chars: int
    max_event_seconds: float
    def __init__(self, min_event_chars: _Optional[int] = ..., max_event_seconds: _Optional[float] = ...) -> None: ...

class TopLogprobs(_message.Message):
    __slots__ = ("logprobs",)
    class LogprobsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    logprobs: _containers.ScalarMap[str, float]
    def __init__(self, logprobs: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Logprobs(_message.Message):
    __slots__ = ("tokens", "token_logprobs", "top_logprobs", "text_offset", "model_logprobs")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    TOP_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    TEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    MODEL_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    token_logprobs: _containers.RepeatedScalarFieldContainer[float]
    top_logprobs: _containers.RepeatedCompositeFieldContainer[TopLogprobs]
    text_offset: _containers.RepeatedScalarFieldContainer[int]
    model_logprobs: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, tokens: _Optional[_Iterable[str]] = ..., token_logprobs: _Optional[_Iterable[float]] = ..., top_logprobs: _Optional[_Iterable[_Union[TopLogprobs, _Mapping]]] = ..., text_offset: _Optional[_Iterable[int]] = ..., model_logprobs: _Optional[_Iterable[float]] = ...) -> None: ...

class PromptLogprob(_message.Message):
    __slots__ = ("logprob", "decoded_token")
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    DECODED_TOKEN_FIELD_NUMBER: _ClassVar[int]
    logprob: float
    decoded_token: str
    def __init__(self, logprob: _Optional[float] = ..., decoded_token: _Optional[str] = ...) -> None: ...

class PromptLogprobs(_message.Message):
    __slots__ = ("logprobs",)
    class LogprobsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: PromptLogprob
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[PromptLogprob, _Mapping]] = ...) -> None: ...
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    logprobs: _containers.MessageMap[int, PromptLogprob]
    def __init__(self, logprobs: _Optional[_Mapping[int, PromptLogprob]] = ...) -> None: ...

class Choice(_message.Message):
    __slots__ = ("text", "index", "finish_reason", "logprobs", "token_ids", "prompt_token_ids", "prompt_logprobs")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    text: str
    index: int
    finish_reason: str
    logprobs: Logprobs
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    prompt_token_ids: _containers.RepeatedScalarFieldContainer[int]
    prompt_logprobs: _containers.RepeatedCompositeFieldContainer[PromptLogprobs]
    def __init__(self, text: _Optional[str] = ..., index: _Optional[int] = ..., finish_reason: _Optional[str] = ..., logprobs: _Optional[_Union[Logprobs, _Mapping]] = ..., token_ids: _Optional[_Iterable[int]] = ..., prompt_token_ids: _Optional[_Iterable[int]] = ..., prompt_logprobs: _Optional[_Iterable[_Union[PromptLogprobs, _Mapping]]] = ...) -> None: ...

class Completion(_message.Message):
    __slots__ = ("id", "object", "created", "model", "model_version", "system_fingerprint", "choices", "usage", "state", "session_id", "position", "revision", "case_folding")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    created: int
    model: str
    model_version: str
    system_fingerprint: str
    choices: _containers.RepeatedCompositeFieldContainer[Choice]
    usage: Usage
    state: bytes
    session_id: str
    position: int
    revision: int
    case_folding: str
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., created: _Optional[int] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., system_fingerprint: _Optional[str] = ..., choices: _Optional[_Iterable[_Union[Choice, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., state: _Optional[bytes] = ..., session_id: _Optional[str] = ..., position: _Optional[int] = ..., revision: _Optional[int] = ..., case_folding: _Optional[str] = ...) -> None: ...

class InspectRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "input", "layers", "states", "gates")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    input: str
    layers: _containers.RepeatedScalarFieldContainer[int]
    states: _containers.RepeatedScalarFieldContainer[str]
    gates: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., input: _Optional[str] = ..., layers: _Optional[_Iterable[int]] = ..., states: _Optional[_Iterable[str]] = ..., gates: _Optional[_Iterable[str]] = ...) -> None: ...

class StateTrace(_message.Message):
    __slots__ = ("layer", "state", "num_units", "values")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NUM_UNITS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    layer: int
    state: str
    num_units: int
    values: _containers.RepeatedCompositeFieldContainer[StateRow]
    def __init__(self, layer: _Optional[int] = ..., state: _Optional[str] = ..., num_units: _Optional[int] = ..., values: _Optional[_Iterable[_Union[StateRow, _Mapping]]] = ...) -> None: ...

class GateTrace(_message.Message):
    __slots__ = ("layer", "gate", "num_units", "values")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    NUM_UNITS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    layer: int
    gate: str
    num_units: int
    values: _containers.RepeatedCompositeFieldContainer[StateRow]
    def __init__(self, layer: _Optional[int] = ..., gate: _Optional[str] = ..., num_units: _Optional[int] = ..., values: _Optional[_Iterable[_Union[StateRow, _Mapping]]] = ...) -> None: ...

class StateRow(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class InspectResponse(_message.Message):
    __slots__ = ("model", "model_version", "chars", "data", "usage", "gates", "case_folding")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHARS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_version: str
    chars: _containers.RepeatedCompositeFieldContainer[CharScore]
    data: _containers.RepeatedCompositeFieldContainer[StateTrace]
    usage: Usage
    gates: _containers.RepeatedCompositeFieldContainer[GateTrace]
    case_folding: str
    def __init__(self, model: _Optional[str] = ..., model_version: _Optional[str] = ..., chars: _Optional[_Iterable[_Union[CharScore, _Mapping]]] = ..., data: _Optional[_Iterable[_Union[StateTrace, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., gates: _Optional[_Iterable[_Union[GateTrace, _Mapping]]] = ..., case_folding: _Optional[str] = ...) -> None: ...

class CreateSessionRequest(_message.Message):
    __slots__ = ("timeout", "priority", "model", "session_id", "ttl_seconds", "prime", "seed", "adaptive")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PRIME_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    model: str
    session_id: str
    ttl_seconds: float
    prime: str
    seed: int
    adaptive: AdaptiveOptions
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., model: _Optional[str] = ..., session_id: _Optional[str] = ..., ttl_seconds: _Optional[float] = ..., prime: _Optional[str] = ..., seed: _Optional[int] = ..., adaptive: _Optional[_Union[AdaptiveOptions, _Mapping]] = ...) -> None: ...

class SessionId(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ("after", "limit")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    def __init__(self, after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class Deleted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FeedRequest(_message.Message):
    __slots__ = ("timeout", "priority", "session_id", "text", "top", "if_revision")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RETURN_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    session_id: str
    text: str
    top: int
    if_revision: int
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., session_id: _Optional[str] = ..., text: _Optional[str] = ..., top: _Optional[int] = ..., if_revision: _Optional[int] = ..., **kwargs) -> None: ...

class SessionNextRequest(_message.Message):
    __slots__ = ("timeout", "priority", "session_id", "top")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    session_id: str
    top: int
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., session_id: _Optional[str] = ..., top: _Optional[int] = ...) -> None: ...

class SampleRequest(_message.Message):
    __slots__ = ("timeout", "priority", "session_id", "max_tokens", "temperature", "top_k", "top_p", "min_p", "seed", "stop", "logprobs", "logit_bias", "presence_penalty", "frequency_penalty", "repetition_penalty", "stream_options", "min_tokens", "stop_token_ids", "include_stop_str_in_output", "allowed_chars", "regex", "post_sampling_logprobs", "return_token_ids", "typical_p", "if_revision")
    class LogitBiasEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    LOGIT_BIAS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PENALTY_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    STREAM_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    STOP_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_STOP_STR_IN_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_CHARS_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    POST_SAMPLING_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    RETURN_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TYPICAL_P_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    session_id: str
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    seed: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    logprobs: int
    logit_bias: _containers.ScalarMap[str, float]
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    stream_options: StreamOptions
    min_tokens: int
    stop_token_ids: _containers.RepeatedScalarFieldContainer[int]
    include_stop_str_in_output: bool
    allowed_chars: str
    regex: str
    post_sampling_logprobs: bool
    return_token_ids: bool
    typical_p: float
    if_revision: int
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., session_id: _Optional[str] = ..., max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., min_p: _Optional[float] = ..., seed: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., logprobs: _Optional[int] = ..., logit_bias: _Optional[_Mapping[str, float]] = ..., presence_penalty: _Optional[float] = ..., frequency_penalty: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., stream_options: _Optional[_Union[StreamOptions, _Mapping]] = ..., min_tokens: _Optional[int] = ..., stop_token_ids: _Optional[_Iterable[int]] = ..., include_stop_str_in_output: _Optional[bool] = ..., allowed_chars: _Optional[str] = ..., regex: _Optional[str] = ..., post_sampling_logprobs: _Optional[bool] = ..., return_token_ids: _Optional[bool] = ..., typical_p: _Optional[float] = ..., if_revision: _Optional[int] = ...) -> None: ...

class SessionScoreRequest(_message.Message):
    __slots__ = ("timeout", "priority", "session_id", "input", "include_end", "return_chars")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_END_FIELD_NUMBER: _ClassVar[int]
    RETURN_CHARS_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    session_id: str
    input: _containers.RepeatedScalarFieldContainer[str]
    include_end: bool
    return_chars: bool
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., session_id: _Optional[str] = ..., input: _Optional[_Iterable[str]] = ..., include_end: _Optional[bool] = ..., return_chars: _Optional[bool] = ...) -> None: ...

class ForkRequest(_message.Message):
    __slots__ = ("session_id", "fork_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FORK_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    fork_id: str
    def __init__(self, session_id: _Optional[str] = ..., fork_id: _Optional[str] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("session_id", "name", "if_revision")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    name: str
    if_revision: int
    def __init__(self, session_id: _Optional[str] = ..., name: _Optional[str] = ..., if_revision: _Optional[int] = ...) -> None: ...

class RewindRequest(_message.Message):
    __slots__ = ("timeout", "priority", "session_id", "num_chars", "if_revision")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NUM_CHARS_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    timeout: float
    priority: int
    session_id: str
    num_chars: int
    if_revision: int
    def __init__(self, timeout: _Optional[float] = ..., priority: _Optional[int] = ..., session_id: _Optional[str] = ..., num_chars: _Optional[int] = ..., if_revision: _Optional[int] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("session_id", "ttl_seconds")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    ttl_seconds: float
    def __init__(self, session_id: _Optional[str] = ..., ttl_seconds: _Optional[float] = ...) -> None: ...

class SessionState(_message.Message):
    __slots__ = ("session_id", "state")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    state: bytes
    def __init__(self, session_id: _Optional[str] = ..., state: _Optional[bytes] = ...) -> None: ...

class ImportStateRequest(_message.Message):
    __slots__ = ("session_id", "state", "if_revision")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    state: bytes
    if_revision: int
    def __init__(self, session_id: _Optional[str] = ..., state: _Optional[bytes] = ..., if_revision: _Optional[int] = ...) -> None: ...

class AdaptiveInfo(_message.Message):
    __slots__ = ("orders", "window", "learn_drawn")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    LEARN_DRAWN_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedScalarFieldContainer[int]
    window: int
    learn_drawn: bool
    def __init__(self, orders: _Optional[_Iterable[int]] = ..., window: _Optional[int] = ..., learn_drawn: _Optional[bool] = ...) -> None: ...

class SessionInfo(_message.Message):
    __slots__ = ("session_id", "model", "model_version", "position", "revision", "created", "ttl_seconds", "expires_at", "state_bytes", "max_rewind", "checkpoints", "adaptive")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_REWIND_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    ADAPTIVE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    model: str
    model_version: str
    position: int
    revision: int
    created: float
    ttl_seconds: float
    expires_at: float
    state_bytes: int
    max_rewind: int
    checkpoints: _containers.RepeatedScalarFieldContainer[str]
    adaptive: AdaptiveInfo
    def __init__(self, session_id: _Optional[str] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., position: _Optional[int] = ..., revision: _Optional[int] = ..., created: _Optional[float] = ..., ttl_seconds: _Optional[float] = ..., expires_at: _Optional[float] = ..., state_bytes: _Optional[int] = ..., max_rewind: _Optional[int] = ..., checkpoints: _Optional[_Iterable[str]] = ..., adaptive: _Optional[_Union[AdaptiveInfo, _Mapping]] = ...) -> None: ...

class SessionList(_message.Message):
    __slots__ = ("object", "data", "next_after")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_FIELD_NUMBER: _ClassVar[int]
    object: str
    data: _containers.RepeatedCompositeFieldContainer[SessionInfo]
    next_after: str
    def __init__(self, object: _Optional[str] = ..., data: _Optional[_Iterable[_Union[SessionInfo, _Mapping]]] = ..., next_after: _Optional[str] = ...) -> None: ...

class Distribution(_message.Message):
    __slots__ = ("data", "entropy_bits")
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_BITS_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[NextChar]
    entropy_bits: float
    def __init__(self, data: _Optional[_Iterable[_Union[NextChar, _Mapping]]] = ..., entropy_bits: _Optional[float] = ...) -> None: ...

class FeedResponse(_message.Message):
    __slots__ = ("session_id", "model", "model_version", "position", "revision", "logprob", "num_unknown", "data", "entropy_bits", "each", "case_folding", "model_logprob")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_FIELD_NUMBER: _ClassVar[int]
    NUM_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_BITS_FIELD_NUMBER: _ClassVar[int]
    EACH_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    MODEL_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    model: str
    model_version: str
    position: int
    revision: int
    logprob: float
    num_unknown: int
    data: _containers.RepeatedCompositeFieldContainer[NextChar]
    entropy_bits: float
    each: _containers.RepeatedCompositeFieldContainer[Distribution]
    case_folding: str
    model_logprob: float
    def __init__(self, session_id: _Optional[str] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., position: _Optional[int] = ..., revision: _Optional[int] = ..., logprob: _Optional[float] = ..., num_unknown: _Optional[int] = ..., data: _Optional[_Iterable[_Union[NextChar, _Mapping]]] = ..., entropy_bits: _Optional[float] = ..., each: _Optional[_Iterable[_Union[Distribution, _Mapping]]] = ..., case_folding: _Optional[str] = ..., model_logprob: _Optional[float] = ...) -> None: ...

class SessionNextResponse(_message.Message):
    __slots__ = ("session_id", "position", "revision", "model", "model_version", "data", "entropy_bits", "usage", "case_folding")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_BITS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    position: int
    revision: int
    model: str
    model_version: str
    data: _containers.RepeatedCompositeFieldContainer[NextChar]
    entropy_bits: float
    usage: Usage
    case_folding: str
    def __init__(self, session_id: _Optional[str] = ..., position: _Optional[int] = ..., revision: _Optional[int] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., data: _Optional[_Iterable[_Union[NextChar, _Mapping]]] = ..., entropy_bits: _Optional[float] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., case_folding: _Optional[str] = ...) -> None: ...

class SessionCompletion(_message.Message):
    __slots__ = ("id", "object", "created", "model", "model_version", "system_fingerprint", "choices", "usage", "session_id", "position", "revision", "case_folding")
    ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CASE_FOLDING_FIELD_NUMBER: _ClassVar[int]
    id: str
    object: str
    created: int
    model: str
    model_version: str
    system_fingerprint: str
    choices: _containers.RepeatedCompositeFieldContainer[Choice]
    usage: Usage
    session_id: str
    position: int
    revision: int
    case_folding: str
    def __init__(self, id: _Optional[str] = ..., object: _Optional[str] = ..., created: _Optional[int] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., system_fingerprint: _Optional[str] = ..., choices: _Optional[_Iterable[_Union[Choice, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., session_id: _Optional[str] = ..., position: _Optional[int] = ..., revision: _Optional[int] = ..., case_folding: _Optional[str] = ...) -> None: ...

class SessionCall(_message.Message):
    __slots__ = ("create", "open", "feed", "next", "sample", "score", "checkpoint", "rollback", "rewind", "renew", "delete_checkpoint")
    CREATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    FEED_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_FIELD_NUMBER: _ClassVar[int]
    REWIND_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    DELETE_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    create: CreateSessionRequest
    open: SessionId
    feed: FeedRequest
    next: SessionNextRequest
    sample: SampleRequest
    score: SessionScoreRequest
    checkpoint: CheckpointRequest
    rollback: CheckpointRequest
    rewind: RewindRequest
    renew: RenewRequest
    delete_checkpoint: CheckpointRequest
    def __init__(self, create: _Optional[_Union[CreateSessionRequest, _Mapping]] = ..., open: _Optional[_Union[SessionId, _Mapping]] = ..., feed: _Optional[_Union[FeedRequest, _Mapping]] = ..., next: _Optional[_Union[SessionNextRequest, _Mapping]] = ..., sample: _Optional[_Union[SampleRequest, _Mapping]] = ..., score: _Optional[_Union[SessionScoreRequest, _Mapping]] = ..., checkpoint: _Optional[_Union[CheckpointRequest, _Mapping]] = ..., rollback: _Optional[_Union[CheckpointRequest, _Mapping]] = ..., rewind: _Optional[_Union[RewindRequest, _Mapping]] = ..., renew: _Optional[_Union[RenewRequest, _Mapping]] = ..., delete_checkpoint: _Optional[_Union[CheckpointRequest, _Mapping]] = ...) -> None: ...

class SessionReply(_message.Message):
    __slots__ = ("info", "feed", "next", "completion", "score")
    INFO_FIELD_NUMBER: _ClassVar[int]
    FEED_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    info: SessionInfo
    feed: FeedResponse
    next: SessionNextResponse
    completion: SessionCompletion
    score: ScoreResponse
    def __init__(self, info: _Optional[_Union[SessionInfo, _Mapping]] = ..., feed: _Optional[_Union[FeedResponse, _Mapping]] = ..., next: _Optional[_Union[SessionNextResponse, _Mapping]] = ..., completion: _Optional[_Union[SessionCompletion, _Mapping]] = ..., score: _Optional[_Union[ScoreResponse, _Mapping]] = ...) -> None: ...
