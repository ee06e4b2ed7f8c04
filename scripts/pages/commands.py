"""docs/reference/commands.md, made from the `--help` of every command."""

import typer

from overbudget.app.cli import app

WIDTH = 110
HEAD = """# The commands

Made from `overbudget COMMAND --help`. Names of commands and options change only with a note in CHANGELOG.md.

Exit status: 0 means success; 1 means "over budget" (`check`), or slower or failing more (`compare --fail-on-regression`); 2 means
wrong usage or unreadable input, with one sentence on stderr. `--json` prints what [json.md](json.md) describes.
"""


def page() -> str:
    """The page as Markdown."""
    group = typer.main.get_command(app)
    parts = [HEAD, _section("overbudget", group)]
    parts += [_section(f"overbudget {name}", command) for name, command in group.commands.items()]
    return "\n".join(parts)


def undocumented() -> list[str]:
    """Commands without a purpose or an example, and options without help."""
    found = []
    for name, command in typer.main.get_command(app).commands.items():
        if not command.help:
            found.append(f"{name}: no docstring")
        if not (command.epilog or "").startswith(f"Example: overbudget {name}"):
            found.append(f"{name}: no example (epilog)")
        found += [f"{name} {one.name}: no help" for one in command.params if not getattr(one, "help", None)]
    return found


def _section(name: str, command: typer.core.TyperCommand | typer.core.TyperGroup) -> str:
    context = command.context_class(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    return f"## {name}\n\n```\n{command.get_help(context).rstrip()}\n```\n"
