"""Words in names of spans, functions and tasks: the weakest evidence of a stage, used when there is no other."""

import re
from functools import lru_cache

# Words are matched after `search_docs`, `searchDocs` and `search-docs` have become "search docs", and `RAGSearch` "rag search".
WORD_BREAKS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
LONGEST_NAME = 200  # characters of a name that are looked at

_BY_WORD: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("retrieval", re.compile(
        r"\b(retriev(e|es|ed|er|ers|ing|al|als)|search(es|ed|ing|er)?|rerank(s|ed|er|ers|ing)?"
        r"|embed(s|der|ders|ding|dings)?)\b"
    )),
    ("safety", re.compile(
        r"\b(guard(s|ed|ing)?|guard ?rails?|moderat(e|es|ed|ing|ion|or)|pii|safety|prompt injection)\b"
    )),
    ("context", re.compile(r"\bprompt(s|ing|template|builder)?\b|\bbuild context\b|\bassembl(e|es|ed|y|ing)\b")),
    ("shaping", re.compile(
        r"\b(format(s|ted|ter|ting)?|render(s|ed|ing)?|post ?process(es|ed|ing|or)?|parse output|output parser)\b"
    )),
    ("queue", re.compile(r"\bqueue[ds]?\b|\bqueu(e?ing)\b|\bwait for slot\b")),
)  # fmt: skip

# Names in which such a word means something else: prompting a person, a dialog, guards of routes, methods of controllers and
# repositories (`TrainController.retrieveByName`).
_FALSE_FRIENDS = re.compile(
    r"\bprompt(s|ed|ing)? (the )?(user|human|person|customer|operator|admin|login|install|permission|confirm\w*|dialog)\b"
    r"|\b(permission|login|install|password|consent|shell|command) prompts?\b"
    r"|\b(click|button|tab|menu|checkbox|keypress|pageview|scroll|hover)\w*\b"
    r"|\b(auth|route|routes|role|roles|jwt|csrf|session|rate|throttler|permission) guard\b|\bguard clauses?\b"
    r"|\b(controller|repository|dao|servlet|mapper)\b"
)


def words_of(name: str) -> str:
    """The words of a name, in lower case, one space between them."""
    return WORD_BREAKS.sub(" ", name[:LONGEST_NAME]).strip().lower()


@lru_cache(maxsize=65536)
def stage_of_words(name: str) -> str | None:
    """The stage that words of a name mean, None if none."""
    words = words_of(name)
    found = next((stage for stage, expression in _BY_WORD if expression.search(words)), None)
    return None if found is None or _FALSE_FRIENDS.search(words) else found


@lru_cache(maxsize=65536)
def searches_or_embeds(name: str) -> bool:
    """Whether a name means that a model is asked for vectors or a ranking, not for an answer."""
    return re.search(r"\b(embed(s|ding|dings)?|rerank(s|er|ing)?)\b", words_of(name)) is not None
