"""What a team wants kept out of its datasets: the [redact] of a budget file, and what a recorded value's key says it is."""

import re
from dataclasses import dataclass, field
from fnmatch import translate

from overbudget.stages import attribute_keys as keys
from overbudget.stages.conventions import KINDS, OPERATIONS

PRESETS: dict[str, tuple[str, ...]] = {  # name → patterns; `prompts` is a matter of keys
    "prompts": (),
    "emails": (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",),
    "bearer_tokens": (
        r"(?i:bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]{8,}",
        r"eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*",  # a JSON web token
    ),
    "api_keys": (
        r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, Stripe, Langfuse
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS
        r"\bAIza[A-Za-z0-9_-]{35}",  # Google
        r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}",
        r"\b(?:hf|lsv2|xox[abprs]|glpat|pplx|gsk)[-_][A-Za-z0-9_-]{16,}",
        r"(?i:api[-_]?key|apikey|secret|password|passwd|access[-_]?token)[\"']?[ \t]*[:=][ \t]*[\"']?[^\s\"',;&}]{6,}",
    ),
}


@dataclass(frozen=True)
class Redaction:
    """The section [redact]: attributes whose key matches one of `keys` (`*` any text, `?` one character) are left out, and what
    matches one of `patterns` (regular expressions) is blotted out of every text; `presets` are names in PRESETS."""

    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    no_content: bool = field(default=False)

    def __bool__(self) -> bool:
        return bool(self.keys or self.patterns or self.presets or self.no_content)

    @property
    def all_patterns(self) -> tuple[str, ...]:
        return self.patterns + tuple(pattern for preset in self.presets for pattern in PRESETS[preset])

    def leaves_out(self, key: str) -> bool:
        """Whether attributes of this key are not written."""
        if "prompts" in self.presets and is_content(key):
            return True
        return any(re.fullmatch(translate(one), key) for one in self.keys)


# What people and models say stands under keys of these words, whatever convention wrote them.
_CONTENT_KEY = re.compile(
    r"(?i)(?:^|[._\-])(?:prompts?|completions?|messages?|contents?|inputs?|outputs?|arguments|args|parameters?|params|responses?"
    r"|requests?|text|query|queries|answers?|questions?|body|documents?|instructions?|results?|statement|thinking|reasoning"
    r"|stacktrace|values?|payload|definitions?|description|spaninputs|spanoutputs|explanation|summary|reply|transcript|tool_calls?)"
    r"(?:$|[._\-])"
)
# What such words are part of and what is no content all the same: names, kinds, ids, counts.
_NO_CONTENT = re.compile(
    r"(?i)(?:\.(?:ids?|model|type|types|role|roles|mime_type|name|finish_reasons?|stop_reasons?|method|status_code|size|top_k"
    r"|service_tier|encoding_formats?|choice\.count|provider|tokens)$|^http\.(?:request\.method|response\.status_code|route)$"
    r"|^http\.request\.header\.|^(?:db|messaging|rpc|net|server|client|url|service|telemetry|process|host|k8s|cloud)\.(?!query|statement|rpc))"
)
_KNOWN = {
    *(one.key for one in (*OPERATIONS, *KINDS)), *keys.CLASSIFY_KEYS, *keys.PEER_KEYS, *keys.MODEL_KEYS, *keys.INPUT_TOKEN_KEYS,
    *keys.OUTPUT_TOKEN_KEYS, *keys.CACHED_TOKEN_KEYS, *keys.RESPONSE_ID_KEYS, *keys.TTFT_SECONDS_KEYS,
    *keys.TTFT_MILLISECONDS_KEYS, *keys.TTFT_TIMESTAMP_KEYS, *keys.CONVERSATION_KEYS, *keys.REQUEST_ID_KEYS, *keys.ONE_IN_KEYS,
    *keys.PROBABILITY_KEYS, *keys.HTTP_STATUS_KEYS, *keys.SCORE_VALUE_KEYS, *keys.SCORE_LABEL_KEYS, *keys.VERSION_KEYS,
    *keys.CACHE_WRITE_TOKEN_KEYS, *keys.REASONING_TOKEN_KEYS, *keys.COST_KEYS, *keys.PROVIDER_KEYS, *keys.PREFILL_SECONDS_KEYS,
    *keys.DECODE_SECONDS_KEYS, *keys.USAGE_KEYS, *keys.COST_DETAIL_KEYS,
    *keys.ENVIRONMENT_KEYS, keys.SAMPLER_KIND_KEY, "recorded.trace_id", "recorded.span_id",
}  # fmt: skip
_SAID = {*keys.INPUT_KEYS, *keys.OUTPUT_KEYS, *keys.PROMPT_KEYS, *keys.QUERY_KEYS}
_SAID_PREFIXES = (*keys.INPUT_PREFIXES, keys.OUTPUT_PREFIX)


def is_known(key: str) -> bool:
    """Whether the value under a key is one that we read, and no content: a model, an id, a count."""
    return key in _KNOWN and key not in _SAID


def is_content(key: str) -> bool:
    """Whether the value under a key is, by its name, what people, models or tools said: a prompt, an answer, an argument."""
    if key in _SAID or key.startswith(_SAID_PREFIXES):
        return True
    return not is_known(key) and bool(_CONTENT_KEY.search(key)) and not _NO_CONTENT.search(key)
