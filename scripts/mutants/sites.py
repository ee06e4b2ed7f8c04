"""Where a module can be changed by one plausible fault, and the module with that fault.

The faults are those that people make: the wrong edge of a comparison, one too many, `and` for `or`, the least for the
most, plus for minus, a forgotten statement, an answer that is always nothing. SQL in strings is code as well.
"""

import ast
import re
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
CALLS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any"}
# Arguments of calls that change no answer: redundant checks, copies, sizes of caches, digits for display.
NO_ANSWER = ("strict", "copy", "maxsize", "stacklevel", "ndigits")
TYPES = ("int", "float", "str", "bool", "bytes", "list", "dict", "tuple", "set")
FAR = range(50, 64)  # exponents of powers of two that mean never, or no limit
LARGE = 1000  # a whole number from here on gets a zero too many instead of one more, as units do
SQL = re.compile(r"\b(SELECT|WHERE|FILTER|JOIN|GROUP BY|COALESCE|coalesce|CASE WHEN)\b")
SQL_FAULTS = (
    (r"<=", "<"), (r">=", ">"), (r"(?<![<>=])<(?![<>=])", "<="), (r"(?<![<>=-])>(?![<>=])", ">="), (r"\bAND\b", "OR"),
    (r"\bOR\b", "AND"), (r"\barg_max\(", "arg_min("), (r"\barg_min\(", "arg_max("), (r"\bmax\(", "min("),
    (r"\bmin\(", "max("), (r"\bsum\(", "max("), (r"\bDESC\b", "ASC"), (r"\bDISTINCT\b", ""), (r" \+ ", " - "),
    (r" - ", " + "), (r"\bLEFT JOIN\b", "JOIN"),
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """One fault: the line it is on, what it changes, its number among all of the module, and the function that it is in.

    `function` is the outermost one, with its class: "" for what runs on import.
    """

    number: int
    line: int
    change: str
    function: str = ""


@dataclass
class _Choice:
    """Counts faults while a module is walked; the one with the number `wanted` is made."""

    wanted: int
    found: list[Site]
    within: list[str]  # the classes and functions that are walked
    in_function: bool = False

    def take(self, node: ast.AST, change: str) -> bool:
        number = len(self.found)
        function = ".".join(self.within) if self.in_function else ""
        self.found.append(Site(number, getattr(node, "lineno", 0), change, function))
        return number == self.wanted


def sites(source: str) -> list[Site]:
    """Every fault that can be put into the module with this source, in the order of the walk."""
    choice = _Choice(-1, [], [])
    _Mutator(choice).visit(ast.parse(source))
    return choice.found


def mutated(source: str, number: int) -> ast.Module:
    """The module with the fault of that number in it. Line numbers stay."""
    tree = ast.parse(source)
    _Mutator(_Choice(number, [], [])).visit(tree)
    ast.fix_missing_locations(tree)
    return tree


class _Mutator(ast.NodeTransformer):
    """Walks what runs; annotations, decorators, docstrings, messages of errors and imports are left alone."""

    def __init__(self, choice: _Choice) -> None:
        self._choice = choice

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if self._choice.in_function:
            return self._function(node)
        self._choice.within.append(node.name)
        self._choice.in_function = True
        made = self._function(node)
        self._choice.in_function = False
        self._choice.within.pop()
        return made

    def _function(self, node: ast.FunctionDef) -> ast.AST:
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        node.body = self._statements(node.body)
        return node

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = self._statements(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if self._choice.in_function:
            node.body = self._statements(node.body)
            return node
        self._choice.within.append(node.name)
        node.body = self._statements(
            node.body, is_dataclass=any("dataclass" in _text(one) for one in node.decorator_list)
        )
        self._choice.within.pop()
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if self._choice.take(node, "no raise") else node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Call) and self._choice.take(node, f"no {_text(node)}"):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        names = [target for target in node.targets if isinstance(target, ast.Name)]
        if any(name.id in ("__all__", "SAMPLES") for name in names):
            return node
        if not names and not isinstance(node.targets[0], ast.Tuple) and self._choice.take(node, f"no {_text(node)}"):
            return ast.copy_location(ast.Pass(), node)
        node.value = self.visit(node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if self._choice.take(node, f"no {_text(node)}"):
            return ast.copy_location(ast.Pass(), node)
        node.value = self.visit(node.value)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node
        self.generic_visit(node)
        other_way = isinstance(node.test, ast.Compare) or (
            isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
        )
        if not other_way and self._choice.take(node, f"if not {_text(node.test)}"):
            node.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is None:
            return node
        if not _is_nothing(node.value) and self._choice.take(node, "return None"):
            node.value = ast.copy_location(ast.Constant(None), node.value)
            return node
        node.value = self.visit(node.value)
        return node

    def visit_Break(self, node: ast.Break) -> ast.AST:
        return ast.copy_location(ast.Continue(), node) if self._choice.take(node, "break → continue") else node

    def visit_Continue(self, node: ast.Continue) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if self._choice.take(node, "no continue") else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        for place, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]
            if self._choice.take(node, f"{_text(node)}: {_SIGNS[type(operator)]} → {_SIGNS[other]}"):
                node.ops[place] = other()
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        if self._choice.take(node, f"{_text(node)}: and ↔ or"):
            node.op = other
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        other = OPERATORS.get(type(node.op))
        texts = any(
            isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
            for side in (node.left, node.right)
        )
        never = isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant) and node.right.value in FAR
        if never or _is_only_for_range(node):
            return node
        if other is not None and not texts and not _is_type(node):
            change = f"{_text(node)}: {_SIGNS[type(node.op)]} → {_SIGNS[other]}"
            if self._choice.take(node, change):
                node.op = other()
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        if _is_none(node.slice):
            if self._choice.take(node, f"{_text(node)}: -1 → -2"):
                node.slice = ast.copy_location(ast.UnaryOp(ast.USub(), ast.Constant(2)), node.slice)
            return node
        node.slice = self.visit(node.slice)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if _is_none(node):
            return node  # all that is asked of it is whether it is negative
        signed = isinstance(node.op, ast.Not | ast.Invert | ast.USub) and not isinstance(node.operand, ast.Constant)
        if signed and self._choice.take(node, f"{_text(node)}: without its sign"):
            return node.operand
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in CALLS and self._choice.take(node, f"{_text(node)}: {name} → {CALLS[name]}"):
            if isinstance(node.func, ast.Name):
                node.func.id = CALLS[name]
            elif isinstance(node.func, ast.Attribute):
                node.func.attr = CALLS[name]
        if name == "round":
            node.args[:1] = [self.visit(argument) for argument in node.args[:1]]
            return node
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return node if node.arg in NO_ANSWER else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool):
            if self._choice.take(node, f"{value} → {not value}"):
                return ast.copy_location(ast.Constant(not value), node)
        elif isinstance(value, int):
            more = value * 10 if value >= LARGE else value + 1
            if self._choice.take(node, f"{value} → {more}"):
                return ast.copy_location(ast.Constant(more), node)
        elif isinstance(value, float):
            other = value * 1.5 if value else 1.0
            if self._choice.take(node, f"{value} → {other}"):
                return ast.copy_location(ast.Constant(other), node)
        elif isinstance(value, str) and SQL.search(value):
            return self._sql(node, value)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        texts = [part for part in node.values if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        is_sql = any(SQL.search(str(part.value)) for part in texts)
        for place, part in enumerate(node.values):
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
            elif isinstance(part, ast.Constant) and is_sql:
                node.values[place] = self._sql(part, str(part.value))  # type: ignore[call-overload]
        return node

    def _sql(self, node: ast.Constant, value: str) -> ast.AST:
        made: ast.AST = node
        for pattern, other in SQL_FAULTS:
            for hit in re.finditer(pattern, value):
                line = ast.copy_location(ast.Pass(), node)
                line.lineno = node.lineno + value.count("\n", 0, hit.start())
                if self._choice.take(line, f"SQL {value[max(0, hit.start() - 20) : hit.end() + 20]!r}: → {other!r}"):
                    made = ast.copy_location(ast.Constant(value[: hit.start()] + other + value[hit.end() :]), node)
        return made

    def _statements(self, body: list[ast.stmt], is_dataclass: bool = False) -> list[ast.stmt]:
        """The statements with the fault; the docstring, and what fields are that nobody gives, as they are."""
        return [
            statement
            if (place == 0 and _is_docstring(statement)) or (is_dataclass and isinstance(statement, ast.AnnAssign))
            else self.visit(statement)
            for place, statement in enumerate(body)
        ]


_SIGNS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
    ast.FloorDiv: "//", ast.Mod: "%", ast.BitAnd: "&", ast.BitOr: "|", ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_nothing(value: ast.expr) -> bool:
    """Whether a value is as false as None: who asks only that would be told the same."""
    if isinstance(value, ast.Constant):
        return not value.value
    return isinstance(value, ast.Tuple | ast.List | ast.Dict) and not (
        value.keys if isinstance(value, ast.Dict) else value.elts
    )


def _is_none(node: ast.expr) -> bool:
    """Whether it is -1: the last one in an index, none elsewhere."""
    operand = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else None
    return isinstance(operand, ast.Constant) and operand.value == 1


def _is_only_for_range(node: ast.BinOp) -> bool:
    """Whether it is `x - x.max()`: what is taken from all logarithms alike, so that their powers are numbers, and cancels."""
    left, right = ast.unparse(node.left), ast.unparse(node.right)
    return isinstance(node.op, ast.Sub) and right in (f"{left}.max()", f"np.max({left})", f"max({left})")


def _is_type(node: ast.expr) -> bool:
    """Whether `A | B` is one of two types, not of two values."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitOr) and _is_type(node.left) and _is_type(node.right)
    if isinstance(node, ast.Subscript):
        return _is_type(node.value)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    is_class = name in TYPES or (name[:1].isupper() and name != name.upper())
    return is_class or (isinstance(node, ast.Constant) and node.value is None)


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:67]}…"
