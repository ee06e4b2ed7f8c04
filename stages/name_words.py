"""Words in names of spans, functions and tasks: the weakest evidence of a stage, used when there is no other."""

import re
from functools import lru_cache

# Words are matched after `search_docs`, `searchDocs` and `search-docs` have become "search docs", and `RAGSearch` "rag search".
WORD_BREAKS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
LONGEST_NAME = 200  # characters of a name that are looked at

# Per stage: the words that mean it, and those beside which they mean something else (None: nothing).
_BY_WORD: tuple[tuple[str, re.Pattern[str], re.Pattern[str] | None], ...] = (
    (
        "retrieval",
        re.compile(
            r"\b(retriev(e|es|ed|er|ers|ing|al|als)|search(es|ed|ing|er)?|rerank(s|ed|er|ers|ing)?"
            r"|embed(s|der|ders|ding|dings)?)\b"
        ),
        re.compile(
            r"\b(build|rebuild|update|refresh|create|delete|drop|sync) search (index|indexes|indices)\b"
            r"|\bsearch (index|indices) (build|rebuild|update|refresh|create|delete|sync)\b"
            r"|^(?!.*\b(documents?|docs|chunks?|passages?|contexts?|embeddings?|vectors?|semantic|content|filings?)\b)"  # of texts
            r".*(\bsearch (bar|box|field|input|form|page|tab|change|focus|history|settings|suggestions?|engine optimi[sz]ation)\b"
            r"|\bembed(s|ding)? (iframe|widget|player|tweet|form|map|link|button|payment)\b"
            r"|\bretriev(e|es|ed|ing|al) (\w+ )?(password|profile|invoice|payment|balance|settings?|config\w*|credentials?|secret"
            r"|certificate)\b|\bretriev(e|es|ed|ing|al) (the |all |one )?(session|account|user|customer|order|cart|status|token)s?( by \w+)?$"
            r"|\bretriev(e|es|ed|ing|al) by (name|id|key|email|\w+ id)\b"
            r"|\b(password|profile|session|account|user|users|customer|orders?|cart|invoice|payment|bag|baggage|config) retriev\w+\b)"
        ),
    ),
    (
        "safety",
        re.compile(r"\b(guard(s|ing)?|guard ?rails?|moderat(e|es|ed|ing|ion|or)|pii|safety|prompt injection)\b"),
        re.compile(
            r"\b(auth|route|routes|role|roles|jwt|csrf|session|rate|throttler|permission|mutex|lock|memory|stack|null|type|bounds"
            r"|coast|night|body|security|life) guards?\b|\bguards? (clauses?|page|pages|band|duty|interval)\b|\bguard lock\b"
            r"|\bmoderate (rain|snow|load|traffic|risk|temperature|intensity)\b"
            r"|\bmoderat(or|ion) (\w+ )*(page|dashboard|settings|role|panel|list)\b"
            r"|\bsafety (stock|net|valve|belt|deposit|margin|factor|car|data sheet)\b"
            r"|\b(road|food|fire|thread|type|memory|null|fish|flight|patient|workplace|exception) safety\b"
        ),
    ),
    (
        "context",
        re.compile(
            r"\bprompt(s|ing|template|builder)?\b|\bbuild context\b|\bassembl(e|es|ed|ing)\b"
            r"|\b(context|prompt|messages?|history) assembly\b"
        ),
        re.compile(
            r"\bprompt(s|ed|ing)? (for )?(the )?(user|human|person|customer|operator|admin|login|install|permission|confirm\w*"
            r"|dialog|password|payment|purchase|rating|review|update|upgrade|restart|delivery|shipping|payout|toolkit|reply|response time)\b"
            r"|\b(permission|login|install|password|consent|cookie|shell|command|bash|zsh|dos|update|upgrade|rating|sign in) prompts?\b"
            r"|\bassembl(e|es|ed|ing) (the )?(orders?|cars?|vehicles?|kits?|parts|packages?|shipments?|bundles?|videos?|binary|binaries)\b"
        ),
    ),
    (
        "shaping",
        re.compile(
            r"\b(format(s|ted|ter|ting)?|render(s|ed|ing)?|post ?process(es|ed|ing|or)?|parse output|output parser)\b"
        ),
        re.compile(
            r"\bformat(s|ted|ting)? (the )?(disk|drive|volume|partition|usb|toolbar|hard disk)\b|\b(file|video|image|disk) formatt?ing tool\b"
            r"|\b(react|dom|gl|gpu|scene|shader) render\w*\b"
            r"|\brender(s|ed|ing)? (queue|scene|frame|pass|target|farm|wait|loop|thread|pipeline)\b"
        ),
    ),
    (
        "inference",
        re.compile(
            r"\b(stt|tts|asr|speech to text|text to speech|speech (recognition|synthesis)|transcri(be|bes|bed|bing|ber|ption))\b"
        ),
        re.compile(
            r"\b(get|save|list|delete|upload|insert|cache|fetch|load|store|update|download|check|find|read|write|expire)s?"
            r" (\w+ )*(transcription|tts|asr|stt)\b"
            r"|\b(transcription|tts|asr|stt) (\w+ )?(cache|expiry|check|lookup|list|page|download|upload|settings|config|status|history"
            r"|job|id|by id)\b|\btranscription factors?\b"
        ),
    ),
    (
        "queue",
        re.compile(r"\bqueue[ds]?\b|\bqueu(e?ing)\b|\bwait for slot\b"),
        re.compile(
            r"\bqueues? (depth|size|length|stats|status|count|metrics?|monitor\w*|declare|bind|unbind|purge|delete|create|list|url"
            r"|connect|config\w*|name)\b|\b(print|declare|create|delete|list|purge|get|music|play|playback) queues?\b"
        ),
    ),
)

# Names in which all these words mean something else: dialogs and clicks, methods of controllers and repositories
# (`TrainController.retrieveByName`).
_FALSE_FRIENDS = re.compile(
    r"\b(click|button|tab|menu|checkbox|keypress|pageview|scroll|hover)\w*\b"
    r"|\b(controller|repository|dao|servlet|mapper)\b"
)


def words_of(name: str) -> str:
    """The words of a name, in lower case, one space between them."""
    return WORD_BREAKS.sub(" ", name[:LONGEST_NAME]).strip().lower()


@lru_cache(maxsize=65536)
def stage_of_words(name: str) -> str | None:
    """The stage that words of a name mean, None if none."""
    words = words_of(name)
    if _FALSE_FRIENDS.search(words):
        return None
    for stage, means, instead in _BY_WORD:
        if means.search(words):
            return None if instead is not None and instead.search(words) else stage
    return None


@lru_cache(maxsize=65536)
def searches_or_embeds(name: str) -> bool:
    """Whether a name means that a model is asked for vectors or a ranking, not for an answer."""
    return re.search(r"\b(embed(s|ding|dings)?|rerank(s|er|ing)?)\b", words_of(name)) is not None
