"""Commands that speak the user's language where click itself would speak English: usage, options, its own errors.

Not here: the words (`messages/*/cli.toml`, table `usage`; click's errors in `messages/fragments.toml`), the verbs.
"""

import re
import sys
from collections.abc import Callable
from typing import Any

import click
from rich.cells import cell_len

from api_config.commands.context import help_text
from twin_model.messages import render
from twin_model.messages.fragments import in_chinese

__all__ = ["ChineseCommand", "ChineseGroup", "verb", "verb_group"]

_METAVARS = {
    "TEXT": "文本",
    "PATH": "路径",
    "FILE": "文件",
    "INTEGER": "整数",
    "URL": "地址",
    "DATE": "日期",
    "KIND": "类型",
    "EPSG:n": "EPSG:代码",
    "EPSG:n|local:NAME": "EPSG:代码|local:名称",
    "seen|sheet|layer|FILE": "seen|sheet|layer|文件",
    "FOLDER": "文件夹",
    "LAYER": "图层",
    "RULE": "规则",
    "NUMBER": "编号",
    "E,N,E,N": "东,北,东,北",
    "E,N,R": "东,北,半径",
    "NAME": "名称",
    "M": "米",
    "P1,P2": "点号,点号",
}


_WIDEST_NAME = 28
_PIECE = re.compile(r"(?:[!-~]+|[^!-~\s])[。，；：、）”～…]*|\s+")


def _said(key: str, **values: Any) -> str:
    return render(f"usage.{key}", "zh", values)


class _Chinese(click.Command):
    """A command whose help is Chinese throughout."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("options_metavar", _said("options_metavar"))
        super().__init__(*args, **kwargs)
        self.params = [_in_chinese(param) for param in self.params]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=_said("usage"))

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _said("show_help")
        return option

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\n")
        for paragraph in (self.help or "").split("\n"):
            lines = _wrapped(paragraph, formatter.width - 2)
            formatter.write("".join(f"  {line}\n" for line in lines) if paragraph else "\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [record for record in (option.get_help_record(ctx) for option in options) if record]
        _write_rows(formatter, _said("options"), [(_named(left), _noted(right)) for left, right in records])
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class ChineseCommand(_Chinese):
    """A verb."""


class ChineseGroup(_Chinese, click.Group):
    """A group of verbs; the outermost one writes click's errors in Chinese."""

    command_class = ChineseCommand

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("subcommand_metavar", _said("command_metavar"))
        super().__init__(*args, **kwargs)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, (verb.help or "").split("\n")[0]) for name, verb in verbs if verb and not verb.hidden]
        _write_rows(formatter, _said("commands"), rows)

    def main(self, *args: Any, standalone_mode: bool = True, **settings: Any) -> Any:
        """Run the command; as a program, say click's errors in Chinese and leave with its exit codes."""
        run: Any = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **settings)
        try:
            code = run(*args, standalone_mode=False, **settings)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = error.exit_code
        except click.ClickException as error:
            _complain(error)
            code = error.exit_code
        except click.Abort:
            code = 1
        sys.exit(code if isinstance(code, int) else 0)


def _complain(error: click.ClickException) -> None:
    context = getattr(error, "ctx", None)
    if context is not None:
        click.echo(context.get_usage(), err=True)
        click.echo(_said("try_help", command=context.command_path), err=True)
    message = " ".join(error.format_message().split())
    click.echo(_said("error", message=in_chinese(message)), err=True)


def _write_rows(formatter: click.HelpFormatter, heading: str, rows: list[tuple[str, str]]) -> None:
    """Write a section in two columns as wide as they look: a Chinese letter takes two places of a terminal."""
    if not rows:
        return
    left = min(max(cell_len(name) for name, _ in rows), _WIDEST_NAME) + 2
    formatter.write(f"\n{heading}：\n")
    for name, text in rows:
        lines = _wrapped(text, formatter.width - left - 2) or [""]
        if cell_len(name) > left - 2:
            formatter.write(f"  {name}\n")
            name = ""
        for line in lines:
            formatter.write(f"  {name}{' ' * (left - cell_len(name))}{line}".rstrip() + "\n")
            name = ""


def _wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` places; words and closing punctuation stay with what is before."""
    lines = [""]
    for piece in _PIECE.findall(text):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines if line.strip()]


def _in_chinese(param: click.Parameter) -> click.Parameter:
    if isinstance(param, click.Argument) and param.metavar is None and param.name:
        names = {"file": "文件", "folder": "文件夹", "paths": "文件", "layer": "图层", "number": "版本", "before": "前版本", "after": "后版本"}  # fmt: skip
        name = names.get(param.name)
        if name:
            more = "..." if param.nargs == -1 else ""
            param.metavar = f"[{name}]{more}" if not param.required else f"{name}{more}"
    return param


def _named(left: str) -> str:
    """Return an option's names with the kind of its value in Chinese."""
    words = left.split(" ")
    return " ".join(_METAVARS.get(word, word) for word in words).replace("整数 RANGE", "整数")


def _noted(right: str) -> str:
    """Return an option's help with what click adds in Chinese: its default, its range, that it must be given."""
    for english, chinese in (
        ("[default: ", "[默认："),
        ("; required]", "；必填]"),
        ("[required]", "[必填]"),
        ("; x>=", "；至少 "),
        ("[x>=", "[至少 "),
    ):
        right = right.replace(english, chinese)
    return right


def verb(name: str, lang: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Return the decorator that makes a verb in a language; its help is that of its name."""
    return click.command(name, cls=ChineseCommand if lang == "zh" else click.Command, help=help_text(name, lang))


def verb_group(name: str, lang: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Group]:
    """Return the decorator that makes a group of verbs in a language."""
    cls = ChineseGroup if lang == "zh" else click.Group
    return click.group(name, cls=cls, help=help_text(name, lang), **settings)
