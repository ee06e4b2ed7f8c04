"""The template of a span's name: ids are masked as {id} (docs/reference/method.md, Operations and stages).

It depends on the name alone: a name has the same template in every dataset and reading order. Names of models sometimes
look like ids (`gpt-4-0613`, `mistral-large-2411`) and are left as they are.
"""

import re

import pyarrow as pa

ID = "{id}"

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_START, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_HEX_WORD = rf"(?:0x)?(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{{8,}}{_END}"
_HEX = re.compile(rf"{_START}{_HEX_WORD}")

# Further ids, each from the start of a word on.
_EMAIL = r"(?<![\w.+{}-])[\w.+{}-]+@(?:[\w-]+\.)+[A-Za-z]{2,}"
_TIME = r"[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_DATE = rf"(?<!\.)\d{{4}}-\d\d-\d\d(?:{_TIME})?{_END}"
_IPV4 = r"(?<!\.)\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\d.])"
_IPV6 = (
    r"(?<![\w:])(?:(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}"
    r"|(?=[a-fA-F]{0,3}\d)[0-9a-fA-F]{3,4}(?::[0-9a-fA-F]{1,4})*::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?)(?![\w:])"
)
_SEGMENT = r"(?:(?<=/)(?<!HTTP/)(?<!http/)|(?<==))\d+(?=[/?&#:;, ]|$)"
_ALONE = r"(?<!\.)\d{4,}(?![0-9A-Za-z]|\.\d)"
_LONG = rf"(?=[A-Za-z]*\d)[0-9A-Za-z]{{16,}}{_END}"

# Models: by the first word of their names, or by the operation that the conventions put before a model's name.
_FAMILIES = (
    r"gpt|chatgpt|claude|gemini|gemma|(?:code)?llama|mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|qwen|qwq"
    r"|phi|command-(?:r|a|light|text)|c\dai|titan-(?:text|embed|image)|nova-(?:micro|lite|pro|premier)|deepseek|grok|kimi"
    r"|moonshot|glm|yi|ernie|doubao|hunyuan|minimax|jamba|palm|(?:text|chat|code)-bison|dall-e|whisper|tts|imagen|veo"
    r"|davinci|babbage|(?:text|code)-(?:embedding|davinci|moderation|search)|omni-moderation|textembedding|embed-(?:english|"
    r"multilingual|v)|rerank-|voyage|jina|bge|gte|nomic|mxbai|sonar|falcon|granite|nemotron|dbrx|o\d"
)
_REST = rf"[0-9A-Za-z]*(?:[-.:@_](?!{_HEX_WORD})[0-9A-Za-z]{{1,12}}{_END})*"
_MODEL = rf"(?i:{_FAMILIES})(?![A-Za-z]{{4}}){_REST}"
_OF_MODEL = rf"(?<!\S)(?:chat|text_completion|generate_content|embeddings)[ ](?!{_HEX_WORD})[A-Za-z]{_REST}(?!\S)"

_IDS = rf"{_EMAIL}|{_DATE}|{_IPV4}|{_IPV6}|{_SEGMENT}|{_ALONE}|(?P<long>{_LONG})"


def _at_words(what: str) -> re.Pattern[str]:
    """What to look for in one pass: at each start of a word the first that fits."""
    return re.compile(rf"{_START}(?:{what})", re.ASCII)


_ID, _ID_OR_MODEL = _at_words(_IDS), _at_words(rf"(?P<model>{_MODEL}|{_OF_MODEL})|{_IDS}")
_MAY_NAME_MODEL = rf"(?i:{_FAMILIES})|chat |text_completion |generate_content |embeddings "
_MODELS = re.compile(_MAY_NAME_MODEL, re.ASCII)
# Hexadecimal words in the language of RE2, which cannot look ahead; between two of them it needs two characters.
_DIGIT, _LETTER, _EITHER = r"[0-9]", "[a-fA-F]", "[0-9a-fA-F]"
_MIXED = "|".join(
    f"{one}{{{count}}}{other}{_EITHER}{{{7 - count},}}" if count < 8 else f"{one}{{8,}}{other}{_EITHER}*"
    for one, other in ((_DIGIT, _LETTER), (_LETTER, _DIGIT))
    for count in range(1, 9)
)
_HEX_AT_ONCE = rf"(^|[^0-9A-Za-z])((?:0x)?(?:{_MIXED}))($|[^0-9A-Za-z])"

# Every name with an id contains one of these.
_SUSPECT = r"\d{4}|[/=]\d|\d\.\d|@|::|:[0-9a-fA-F]+:|[0-9A-Za-z]{4}\d|\d[0-9A-Za-z]{4}"

_VERSIONED = re.compile(r"[Vv]\d+|S3|EC2|BM25|SHA\d+|MD5|UTF\d+|Base64|HTTP2|OAuth2|K8s|Neo4j")  # words with digits
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")  # of getItems42: get, Items, 42
_WORDS = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")  # of the same: get, Items42
SHORT_PIECES = 4  # characters on average: words are longer; random letters and digits alternate sooner


def template(name: str) -> str:
    """`name` with every id in it masked.

    Ids are UUIDs, e-mail and IP addresses, dates, 8 and more hexadecimal digits with a digit and a letter among them, words
    of 16 and more random letters and digits (ULIDs, and the part of `msg_01AbC…` after its prefix), path and query segments
    of digits only, and separate numbers of four and more digits.
    """
    found = _ID_OR_MODEL if may_name_model(name) else _ID
    return found.sub(_masked, _HEX.sub(ID, _UUID.sub(ID, name)))


def may_name_model(name: str) -> bool:
    """Whether a name contains the name of a model, or something that looks like one."""
    return _MODELS.search(name) is not None


def _masked(found: re.Match[str]) -> str:
    text = found.group()
    if found.lastgroup == "model" or (found.lastgroup == "long" and not _random(text)):
        return text
    return ID


def _random(word: str) -> bool:
    """Whether letters and digits alternate as often as in an id, or most of it is digits."""
    if not any(map(str.isdigit, _VERSIONED.sub("", word))):
        return False
    pieces = _WORDS if word.upper() != word != word.lower() else _PIECES
    return len(word) < SHORT_PIECES * len(pieces.findall(word)) or 2 * sum(map(str.isdigit, word)) > len(word)


def templates(names: pa.StringArray) -> pa.StringArray:
    """The template of each name.

    Most ids are masked in all names at once. For the rest it does not matter which digit is where, so names are compared with
    every digit as 0, and only those that still have digits are looked at one by one.
    """
    import pyarrow.compute as pc  # takes 20 ms to load, and only ingest has names at once

    suspect = pc.fill_null(pc.match_substring_regex(names, _SUSPECT), False)
    rows = pc.indices_nonzero(suspect)
    if len(rows) == 0:
        return names
    found = pc.replace_substring_regex(names.take(rows), _UUID.pattern, ID)
    found = pc.replace_substring_regex(found, _HEX_AT_ONCE, rf"\1{ID}\3")
    alike = pc.replace_substring_regex(found, r"\d", "0").dictionary_encode()
    masked = _each(alike.dictionary)
    result = masked.take(alike.indices)
    left = pc.match_substring_regex(result, r"\d")
    result = pc.replace_with_mask(result, left, _each(found.filter(left)))
    return pc.replace_with_mask(names, suspect, result)


def _each(names: pa.StringArray) -> pa.StringArray:
    return pa.array([template(name) for name in names.to_pylist()], pa.string())


def with_route(masked: str, route: str) -> str:
    """The masked name of an HTTP server's span, with its path replaced by the recorded route.

    `GET /orders/{id}` and `/orders/:order`: `GET /orders/:order`. A name that is not a path, with or without a method, stays as it is.
    """
    method, gap, path = masked.rpartition(" ")
    if not path.startswith(("/", "http://", "https://")) or (method and not method.isupper()):
        return masked
    return f"{method}{gap}{route}"
