"""The instructions of a task: Markdown with values of the data, as safe HTML.

The template is the owner's, and its values come from anybody: a value is put into the parsed page as text, so that no
Markdown or HTML in it has an effect. Raw HTML is shown as text, and pictures, which could load from elsewhere, as links.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from django.utils import formats, timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from workflow import values
from workflow.models import WaitingForApproval

PLACEHOLDER = re.compile(r"\{\{\s*data((?:\.\w+)*)\s*\}\}")
MISSING = object()


def instructions_html(waiting: WaitingForApproval) -> SafeString:
    """What the task says to whom it asks; blank where it says nothing. What code asks is shown as plain text."""
    if waiting.question:
        return format_html('<p class="workflow-question">{}</p>', waiting.question)
    return rendered(waiting.definition.instructions, waiting.rpid.data)


def instructions_text(waiting: WaitingForApproval) -> str:
    """The same as text, as it is kept with a decision."""
    data = waiting.rpid.data
    return PLACEHOLDER.sub(lambda found: _shown(_value(data, found[1]), found[1]), waiting.definition.instructions)


def rendered(template: str, data: Mapping[str, Any]) -> SafeString:
    """Markdown as safe HTML, with the values that `{{ data.key }}` stands for; a missing one is a visible gap."""
    if not template.strip():
        return SafeString("")
    page: str = _markdown().render(template, {"data": data})
    return mark_safe(page)  # noqa: S308 - it lets no HTML through, and escapes values


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "html_inline", "html_block"])
    markdown.inline.ruler.before("escape", "placeholder", _parse_placeholder)
    markdown.add_render_rule("placeholder", _render_placeholder)
    markdown.add_render_rule("link_open", _render_link)
    return markdown


def _parse_placeholder(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the library's signature
    found = PLACEHOLDER.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push("placeholder", "", 0)
        token.content = found[1]
    state.pos = found.end()
    return True


def _render_placeholder(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    path = tokens[index].content
    value = _value(env["data"], path)
    if value is MISSING:
        return str(format_html('<span class="workflow-gap">{}</span>', _shown(value, path)))
    return escape(_shown(value, path))


def _render_link(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A link tells the other site nothing of the page that it was on."""
    tokens[index].attrSet("rel", "noopener noreferrer")
    return self.renderToken(tokens, index, options, env)


def _value(data: Any, path: str) -> Any:
    """What stands at `.key.key`, or `MISSING`. Only dicts and lists are looked into: no attribute can be reached."""
    for part in path.split(".")[1:]:
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return MISSING
    return data


def _shown(value: Any, path: str) -> str:
    match value:
        case _ if value is MISSING:
            return _("[data%(path)s is missing]") % {"path": path}
        case None:
            return "–"
        case bool():
            return _("yes") if value else _("no")
        case datetime():
            return formats.date_format(timezone.localtime(value), "DATETIME_FORMAT")
        case date():
            return formats.date_format(value)
        case list() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(map(str, value))
        case {"upload": _, "name": str(name)}:
            return name
        case list() | dict():
            return values.dumps(value)
    return str(value)
