"""Trace health in words."""

from overbudget.analysis.health.audit import Audit
from overbudget.analysis.health.problem import Problem
from overbudget.app.text.blocks import Block, Heading, Headline, Sentence, Snippet
from overbudget.app.text.words import count


def audit_blocks(found: Audit, stitched: int | None = None) -> list[Block]:
    """Every problem, what it means and what to do; `stitched` requests were joined with others before."""
    blocks: list[Block] = [Headline(headline(found))]
    if stitched is not None:
        blocks.append(Sentence(stitched_text(stitched)))
    for problem in found.problems:
        services = f" Services: {', '.join(problem.services)}." if problem.services else ""
        blocks += [
            Heading(f"{problem.code}: {problem.count:,}"),
            Sentence(problem.means),
            Sentence(f"What to do: {problem.remedy}"),
            *([Snippet(tuple(problem.rule.split("\n")))] if problem.rule else []),
            Sentence(f"Example: {problem.example}.{services}", "soft"),
        ]
    return blocks


def unclassified_blocks(problem: Problem) -> list[Block]:
    """What is known of spans that have no stage, and the rule that gives them one; no blocks where there are none."""
    if not problem.count:
        return []
    rule = [Snippet(tuple(problem.rule.split("\n")))] if problem.rule else []
    return [Sentence(problem.means), Sentence(problem.remedy), *rule]


def stitched_text(stitched: int) -> str:
    """How many requests were joined."""
    if not stitched:
        return "No trace was found that could be joined with another one."
    return f"{count(stitched, 'request')} became part of the trace of the run that {'it' if stitched == 1 else 'they'} belong{'s' if stitched == 1 else ''} to."


def headline(found: Audit) -> str:
    """How much can be trusted."""
    complete = (
        f"{found.complete:,} of {count(found.requests, 'request')} {'is' if found.requests == 1 else 'are'} complete"
    )
    if not found.problems:
        return f"{complete}, and nothing is wrong with the traces."
    return f"{complete}; {count(len(found.problems), 'kind')} of problem."
