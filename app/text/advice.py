"""Advice in words."""

from collections.abc import Sequence

from overbudget.analysis.advice.advice import Advice
from overbudget.analysis.budget.caps import MAIN_PERCENTILE
from overbudget.analysis.common.durations import format_duration
from overbudget.analysis.whatif.changes import Servers
from overbudget.app.text.blocks import Block, Command, Heading, Headline, Points, Sentence
from overbudget.app.text.words import quoted

TITLES = {
    "parallelise": "Run in parallel",
    "cache": "Cache",
    "prompt_prefix": "Let the provider cache the beginning of the prompt",
    "batch_calls": "Ask once instead of many times",
    "fewer_steps": "End the loop sooner",
    "shorten_prompt": "Shorten the longest prompts",
    "limit_output": "Limit the length of answers",
    "retries": "Fix the failures behind the retries",
    "blocking": "Shorten the wait",
    "queue": "Shorten the queue",
    "hedging": "Look at what hedging costs",
    "cold_start": "Keep instances warm",
    "keep_alive": "Keep connections alive",
    "instrument": "Instrument the time that is in no span",
    "model": "Use a steadier model",
}
NOTHING = "Nothing stands out that would make requests faster."
NO_PROMISE = {"instrument": "By itself it saves no time: it shows where the time goes."}
RAISE = "Raise the limit on what runs at once"


def advice_blocks(found: Sequence[Advice]) -> list[Block]:
    """Advice, the largest effect first: what to do, its effect, the evidence for and against it, how to try it."""
    if not found:
        return [Headline(NOTHING)]
    blocks: list[Block] = []
    for number, advice in enumerate(found, 1):
        reasons = [f"{sign} {one}" for sign, those in (("+", advice.evidence), ("−", advice.against)) for one in those]
        blocks += [Heading(f"{number}. {title(advice)}"), Sentence(effect_text(advice)), Points(tuple(reasons))]
        blocks.append(Command(advice.command))
    return blocks


def summary(found: Sequence[Advice]) -> list[str]:
    """What to do first, and its effect."""
    if not found:
        return [NOTHING, "Try changes of your own below."]
    others = len(found) - 1
    more = f" {others} more below." if others else ""
    takes = "It takes " if found[0].effect else ""
    return [f"{title(found[0])}.", f"{takes}{effect_text(found[0])}{more}"]


def title(advice: Advice) -> str:
    """What to do, and with what."""
    names = list(dict.fromkeys(operation["name"] for operation in advice.operations))
    what = RAISE if any(isinstance(change, Servers) for change in advice.changes) else TITLES[advice.kind]
    return what + (f": {', '.join(map(quoted, names))}" if names else "")


def effect_text(advice: Advice) -> str:
    """Its effect on p95, or on the percentile it changes most, and how sure that is."""
    if not advice.effect:
        return NO_PROMISE.get(advice.kind, "How much time it would save is unknown: the traces do not show it.")
    usual = next(effect for effect in advice.effect if effect.percentile == MAIN_PERCENTILE)
    if usual.after_ns >= usual.before_ns:
        usual = max(advice.effect, key=lambda effect: effect.before_ns - effect.after_ns)
    text = f"p{usual.percentile} from {format_duration(usual.before_ns)} to {format_duration(usual.after_ns)}"
    if advice.within_budget is not None and advice.within_budget[0] != advice.within_budget[1]:
        text += f"; requests within the p95 cap from {advice.within_budget[0]:.1%} to {advice.within_budget[1]:.1%}"
    text += {"at_most": ", at most", "at_least": ", at least", None: ""}[advice.bound]
    if advice.doubts and advice.bound is None:
        text += "; other work that is slower under load may change that"
    return f"{text}. The evidence is {advice.confidence}."
