"""Names that an answer treats as one: counters, short hexadecimal digits and words of one path segment, where there are many.

Ingest masks what is an id by itself, name by name. Here only the other names show it: `step-3` may be a name, but `step-1`
to `step-40` are one operation. So names are grouped over everything in one answer (both sides of a comparison), and the
groups are not stored.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from overbudget.stages.name_template import may_name_model

FEWEST_COUNTED = 5  # names of a service that differ in a counter or short hexadecimal digits only
FEWEST_WORDS = 20  # names of a service that differ in one path segment only
COUNTED, WORD = "{n}", "{name}"

Called = tuple[str, str]  # service and name

_COUNTER = re.compile(r"(?<=[-_#:\[( ])\d+(?=$|[\])]$)")
_SHORT_HEX = re.compile(r"(?<=[-_/])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{4,7}(?=$|[-_/. ])")


def name_groups(called: Iterable[Called]) -> dict[Called, str]:
    """The group name of each of the names `called` that is grouped with others."""
    distinct = sorted(set(called))
    groups = _shared(distinct, _counted, FEWEST_COUNTED)
    renamed = sorted({(service, groups.get((service, name), name)) for service, name in distinct})
    words = _by_segment(renamed)
    for service, name in distinct:
        as_counted = groups.get((service, name), name)
        as_word = words.get((service, as_counted), as_counted)
        if as_word != name:
            groups[service, name] = as_word
    return groups


def _counted(name: str) -> str:
    return name if may_name_model(name) else _SHORT_HEX.sub(COUNTED, _COUNTER.sub(COUNTED, name))


def _shared(called: Iterable[Called], masked: Callable[[str], str], fewest: int) -> dict[Called, str]:
    """The names of which `fewest` and more of one service are the same once `masked`."""
    alike: Mapping[Called, list[Called]] = defaultdict(list)
    for service, name in called:
        as_masked = masked(name)
        if as_masked != name:
            alike[service, as_masked].append((service, name))
    return {one: name for (_, name), those in alike.items() if len(those) >= fewest for one in those}


def _by_segment(called: Iterable[Called]) -> dict[Called, str]:
    """Paths of which many of one service differ in one segment only, the segments nearest the start first."""
    group_of = {one: one[1] for one in called if "/" in one[1]}
    for place in range(1, max((name.count("/") for name in group_of.values()), default=0) + 1):
        alike: Mapping[Called, set[Called]] = defaultdict(set)
        for one, name in group_of.items():
            parts = name.split("/")
            if place < len(parts) and parts[place] and "{" not in parts[place]:
                alike[one[0], "/".join([*parts[:place], WORD, *parts[place + 1 :]])].add(one)
        for (_, group), those in alike.items():
            if len({group_of[one] for one in those}) >= FEWEST_WORDS:
                group_of.update(dict.fromkeys(those, group))
    return {one: group for one, group in group_of.items() if group != one[1]}
