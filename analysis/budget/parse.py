"""Reading a budget file strictly: all mistakes are reported at once, each with its line and what was probably meant."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from overbudget.analysis.budget.model import (
    CALL_FIGURES,
    LIMIT,
    Budget,
    CallCaps,
    Caps,
    Good,
    RouteBudget,
    StageBudget,
    cap_at,
    cap_name,
)
from overbudget.analysis.budget.objective import read_objective
from overbudget.analysis.budget.problems import Problems, as_error, bare_or_quoted, dotted, either, meant, question
from overbudget.analysis.budget.redaction import read_redaction
from overbudget.analysis.budget.rules import read_rules
from overbudget.analysis.budget.toml_lines import Path, key_lines
from overbudget.analysis.common.durations import duration_literal, parse_duration
from overbudget.stages.names import ASKS_PERSON, DEFAULT_STAGES, PART_NAMES, PARTS, UNATTRIBUTED, part_of, stage_order
from overbudget.store.errors import OverbudgetError

SECTIONS = (
    *("budget", "first_token", "objective", "request", "background", "good", "redact", "stages", "models", "routes"),
)
MODEL_STAGE = "inference"  # the default stage that has model calls
KNOWN_STAGES = (*DEFAULT_STAGES, UNATTRIBUTED)

_UNQUOTED = re.compile(r"^\s*([\w.\"-]+)\s*=\s*([+-]?[\d.,]+\s*[a-zA-Zµμ]+)\s*(?:#.*)?$")
_PERCENTILE = re.compile(r"p([1-9]\d?)")
_SCORE = 'score = { name = "correctness", at_least = 0.7 }'


def read_budget(text: str, name: str) -> Budget:
    """See analysis.budget.file.parse_budget."""
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise as_error(name, _syntax_problems(text, error)) from error
    reader = _Reader(Problems(key_lines(text)))
    budget = reader.read(document, name)
    if reader.problems.found:
        raise as_error(name, reader.problems.found)
    return budget


def _syntax_problems(text: str, error: Exception) -> list[tuple[int, str]]:
    """The parser stops at the first mistake; durations without quotes, the most common one, are all found here."""
    unquoted = [
        (number, f'Write durations in quotes: {match[1]} = "{match[2]}".')
        for number, line in enumerate(text.split("\n"), 1)
        if (match := _UNQUOTED.match(line))
    ]
    if unquoted:
        return unquoted
    if isinstance(error, RecursionError):
        return [(1, "This is nested too deeply for a budget.")]
    message = str(error).replace("Cannot overwrite a value", "this key is given above already")
    where = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)", message)
    line = int(where[1]) if where and where[1] else text.count("\n") + 1
    return [(line, f"This is not valid TOML: {message[: where.start()] if where else message}.")]


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.remarks: list[str] = []

    def read(self, document: dict[str, Any], name: str) -> Budget:
        for key in document:
            if key not in SECTIONS:
                self._unknown_section(key)
        section = {key: self.table(document.get(key, {}), (key,)) for key in SECTIONS}
        stages = {stage: self.stage(stage, value) for stage, value in section["stages"].items()}
        # a misspelt name is reported once, where the stage is defined, not again in every route
        known = {*KNOWN_STAGES, *stages}
        budget = Budget(
            caps=self.caps(section["budget"], ("budget",), ("failures",)),
            failures_apart=self.failures(section["budget"]),
            first_token=self.caps(section["first_token"], ("first_token",)),
            models={model: self.model(model, value) for model, value in section["models"].items()},
            stages=stages,
            routes={route: self.route(route, value, known) for route, value in section["routes"].items()},
            request_match=self.spans(section["request"], "request"),
            background=self.spans(section["background"], "background"),
            good=self.good(section["good"]),
            objective=read_objective(section["objective"], self.problems),
            redact=read_redaction(section["redact"], self.problems),
            as_read=document,
            name=name,
        )
        self.sums(budget.caps, {name: own.caps for name, own in stages.items()}, ("budget",), ("stages",))
        if budget.objective and not any((budget.caps, *(own.caps for own in budget.routes.values()))):
            line = self.problems.lines.get(("objective",), "?")
            self.remarks.append(
                f"Line {line}: the objective counts requests within the cap on the whole request, and there is none; "
                'add [budget] with p95 = "2s".'
            )
        for route, own in budget.routes.items():
            self.sums(own.caps or budget.caps, own.stages, ("routes", route), ("routes", route, "stages"))
        return replace(budget, remarks=tuple(self.remarks))

    def failures(self, table: dict[str, Any]) -> bool:
        """Whether failed requests are left out of percentiles."""
        if table.get("failures", "apart") != "apart":
            self.problems.add(
                ("budget", "failures"),
                '`failures` can only be "apart", which leaves failed requests out of percentiles. Remove it to count them.',
            )
        return table.get("failures") == "apart"

    def table(self, value: Any, path: Path) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.problems.add(path, f"`{path[-1]}` is a section; write [{dotted(path)}] and its keys below.")
        return {}

    def _unknown_section(self, key: str) -> None:
        if _PERCENTILE.fullmatch(key):
            text = f"`{key}` is outside any section; write [budget] above it."
        elif key in DEFAULT_STAGES:
            text = f"The stage `{key}` is at the top level. Did you mean [stages.{key}]?"
        else:
            asked = question(key, SECTIONS) or f" There are {either(SECTIONS)}."
            text = f"`{key}` is not a section of a budget.{asked}"
        self.problems.add((key,), text)

    def caps(self, table: dict[str, Any], path: Path, others: tuple[str, ...] = ()) -> Caps:
        """The caps in a table; its keys in `others` are read elsewhere."""
        caps: dict[int, int] = {}
        for key, value in table.items():
            if key in others:
                continue
            match = _PERCENTILE.fullmatch(key)
            if (match is None and key != cap_name(LIMIT)) or isinstance(value, dict):
                self._unknown_cap(key, value, path, others)
                continue
            try:
                caps[int(match[1]) if match else LIMIT] = parse_duration(value)
            except OverbudgetError as error:
                shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
                said = str(error)
                self.problems.add((*path, key), f"{key} = {shown} {said if said.endswith('?') else said + '.'}")
        caps = dict(sorted(caps.items()))
        for low, high in zip(list(caps), list(caps)[1:], strict=False):
            if caps[high] < caps[low]:
                line = self.problems.lines.get((*path, cap_name(low)), "?")
                above, below = cap_name(high), cap_name(low)
                each = "call" if path[-1] in CALL_FIGURES else "request"
                never = f"no {each} may exceed it" if high == LIMIT else "a higher percentile is never faster"
                self.problems.add(
                    (*path, above),
                    f"{above} = {duration_literal(caps[high])} is less than {below} = {duration_literal(caps[low])} in "
                    f"line {line}, but {never}. Raise {above}, or remove {below}, which is then held to {above}.",
                )
        return caps

    def _unknown_cap(self, key: str, value: Any, path: Path, others: tuple[str, ...]) -> None:
        lowered = key.lower().replace("_", "").removesuffix("th").removeprefix("percentile").removeprefix("p")
        digits = re.fullmatch(r"\d+(?:\.\d+)?", lowered)
        if path == ("budget",) and key in KNOWN_STAGES:
            text = f"The stage `{key}` is inside [budget]. Did you mean [stages.{key}]?"
        elif len(path) > 1 and path[-2] == "stages" and isinstance(value, dict) and key in PARTS.get(str(path[-1]), ()):
            name = f"{path[-1]}.{key}"
            text = f"`{key}` is a part of {path[-1]}: write [{dotted((*path[:-1], name))}], its name in quotes."
        elif digits and lowered.isdigit() and 1 <= int(lowered) < 100 and not isinstance(value, dict):
            text = f"`{key}` is not a percentile. Did you mean `p{int(lowered)}`?"
        elif digits:
            text = f"`{key}` is not a percentile a cap can have: they are whole, from p1 to p99."
        else:
            asked = question(key, ("p50", "p75", "p90", "p95", "p99", "max", *others))
            there_is = f' There are caps, written p95 = "400ms"{", and " + either(others) if others else ""}.'
            text = f"`{key}` means nothing in [{dotted(path)}].{asked or there_is}"
        self.problems.add((*path, key), text)

    def stage(self, stage: str, value: Any) -> StageBudget:
        path: Path = ("stages", stage)
        table = self.table(value, path)
        if "." in stage:
            return StageBudget(self.part(stage, table, path))
        rules = read_rules(table["match"], (*path, "match"), stage, self.problems) if "match" in table else ()
        if stage == UNATTRIBUTED and rules:
            self.problems.add(path, f"`{UNATTRIBUTED}` is the time of no stage, so nothing can be matched to it.")
        if stage not in KNOWN_STAGES and "match" not in table:
            self.problems.add(path, _unknown_stage(stage, KNOWN_STAGES))
        calls = self.call_caps(table, path)
        if calls and stage in KNOWN_STAGES and stage != MODEL_STAGE:
            figure = next(iter(calls))
            self.problems.add((*path, figure), f"Only model calls have `{figure}`; write it in [stages.{MODEL_STAGE}].")
        return StageBudget(self.stage_caps(stage, table, path, ("match", *CALL_FIGURES)), rules, calls)

    def part(self, name: str, table: dict[str, Any], path: Path) -> Caps:
        """The caps of a part of a stage; names with a dot are those of parts alone."""
        if part_of(name) is None:
            asked = question(name, PART_NAMES) or f" There are {either(PART_NAMES)}."
            self.problems.add(path, f"`{name}` is not a part of a stage; names with a dot are those of parts.{asked}")
        for key in ("match", *CALL_FIGURES):
            if key in table:
                header = f"[stages.{bare_or_quoted(name.split('.')[0])}]"
                self.problems.add((*path, key), f"A part of a stage has caps alone; `{key}` belongs in {header}.")
        return self.caps(table, path, ("match", *CALL_FIGURES))

    def model(self, model: str, value: Any) -> CallCaps:
        """The caps of each call of the models that a pattern names."""
        path: Path = ("models", model)
        table = self.table(value, path)
        for key in table:
            if _PERCENTILE.fullmatch(key):
                text = f'`{key}` in [{dotted(path)}] says not what of a call: write {CALL_FIGURES[0]}.{key} = "400ms".'
                self.problems.add((*path, key), text)
        self.problems.only({k: v for k, v in table.items() if not _PERCENTILE.fullmatch(k)}, CALL_FIGURES, path)
        return self.call_caps(table, path)

    def call_caps(self, table: dict[str, Any], path: Path) -> CallCaps:
        """The caps of single model calls in the table of a stage or model."""
        found: dict[str, Caps] = {}
        for figure in CALL_FIGURES:
            given = table.get(figure, {})
            if isinstance(given, dict):
                found[figure] = self.caps(given, (*path, figure))
            else:
                text = f'`{figure}` has caps by percentile: {figure} = {{ p95 = "400ms" }}.'
                self.problems.add((*path, figure), text)
        return {figure: caps for figure, caps in found.items() if caps}

    def stage_caps(self, stage: str, table: dict[str, Any], path: Path, others: tuple[str, ...] = ("match",)) -> Caps:
        """The caps of a stage; the stage of waiting for a person has none."""
        caps = self.caps(table, path, others)
        if stage == ASKS_PERSON and caps:
            self.problems.add(
                path,
                f"`{ASKS_PERSON}` is the time waiting for a person, which is not part of latency: it has no cap, only `match`.",
            )
        return caps

    def route(self, route: str, value: Any, known: Iterable[str]) -> RouteBudget:
        path: Path = ("routes", route)
        table = self.table(value, path)
        stages: dict[str, Caps] = {}
        for stage, given in self.table(table.get("stages", {}), (*path, "stages")).items():
            where = (*path, "stages", stage)
            own = self.table(given, where)
            if "." in stage:
                stages[stage] = self.part(stage, own, where)
                continue
            if "match" in own:
                header = f"[stages.{bare_or_quoted(stage)}]"
                self.problems.add((*where, "match"), f"Rules apply to all routes; move this one to {header}.")
            elif stage not in known:
                self.problems.add(where, _unknown_stage(stage, known))
            for figure in CALL_FIGURES:
                if figure in own:
                    header = f"[stages.{bare_or_quoted(stage)}]"
                    self.problems.add((*where, figure), f"`{figure}` holds for all routes; move it to {header}.")
            stages[stage] = self.stage_caps(stage, own, where, ("match", *CALL_FIGURES))
        first_token = self.table(table.get("first_token", {}), (*path, "first_token"))
        return RouteBudget(
            self.caps(table, path, ("first_token", "stages")),
            {stage: caps for stage, caps in stages.items() if caps},
            self.caps(first_token, (*path, "first_token")),
        )

    def spans(self, table: dict[str, Any], section: str) -> tuple[Any, ...]:
        """The rules of a section that names spans as requests or as background."""
        self.problems.only(table, ("match",), (section,))
        return read_rules(table["match"], (section, "match"), "", self.problems) if "match" in table else ()

    def good(self, table: dict[str, Any]) -> Good | None:
        self.problems.only(table, ("score",), ("good",))
        if "score" not in table:
            return None
        path: Path = ("good", "score")
        score = table["score"]
        if not isinstance(score, dict):
            self.problems.add(path, f"`score` is written in braces: {_SCORE}.")
            return None
        self.problems.only(score, ("name", "at_least", "at_most"), path)
        name = score.get("name")
        if name is not None and (not isinstance(name, str) or not name):
            self.problems.add((*path, "name"), "`name` is the name of the score in quotes.")
        limits: dict[str, float] = {}
        for key in ("at_least", "at_most"):
            limit = score.get(key, 0.0)
            if isinstance(limit, bool) or not isinstance(limit, int | float) or limit != limit:
                self.problems.add((*path, key), f"`{key}` is a number without quotes, for example {key} = 0.7.")
            elif key in score:
                limits[key] = float(limit)
        if "at_least" not in score and "at_most" not in score:
            self.problems.add(path, f"A score needs a limit, `at_least` or `at_most`: {_SCORE}.")
        if len(limits) == 2 and limits["at_least"] > limits["at_most"]:
            self.problems.add(path, "`at_least` is above `at_most`, so no score fits; swap them.")
        return Good(name if isinstance(name, str) else None, **limits)

    def sums(self, total: Caps, stages: Mapping[str, Caps], total_path: Path, stages_path: Path) -> None:
        """A remark where stage caps given at one percentile sum to more than the whole request's cap there.

        That is allowed, because percentiles do not add up. Percentiles at which a stage only has its next higher cap are not
        summed: the budget does not state that sum.
        """
        stages = {name: caps for name, caps in stages.items() if part_of(name) is None}  # parts are in their stage
        for percentile in sorted({p for caps in stages.values() for p in caps} - {LIMIT}):
            cap, borrowed = cap_at(total, percentile)
            parts = {stage: caps[percentile] for stage, caps in stages.items() if percentile in caps}
            together = sum(parts.values())
            if cap is None or borrowed or together <= cap:
                continue
            given_at = min(p for p in total if p >= percentile)
            where = (*total_path, cap_name(given_at))
            if where not in self.problems.lines:  # a route that uses the general cap on the whole request
                where = (*stages_path, max(parts, key=lambda stage: parts[stage]), f"p{percentile}")
            named = [f"{stage} {duration_literal(parts[stage])}" for stage in sorted(parts, key=lambda s: -parts[s])]
            if len(parts) == 1:
                have = f"The cap of {named[0].split()[0]} at p{percentile} is {duration_literal(together)}"
            else:
                have = f"The caps of the stages at p{percentile} add up to {duration_literal(together)} "
                have += f"({', '.join(named)})"
            at = f" at {cap_name(given_at)}" if given_at != percentile else ""
            line = self.problems.lines.get(where, "?")
            self.remarks.append(
                f"Line {line}: {have}, more than the {duration_literal(cap)} of the whole request{at}. Percentiles do "
                f"not add up, so all of them can still be met."
            )


def _unknown_stage(stage: str, known: Iterable[str]) -> str:
    close = meant(stage, known)
    hint = f"Did you mean `{close}`? A" if close else f"The known ones are {either(stage_order(known))}; a"
    return f"There is no stage `{stage}`. {hint} stage of your own needs a `match` that says which spans belong to it."
