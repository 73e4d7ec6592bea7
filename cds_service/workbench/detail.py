"""Render a card's Markdown as HTML, as an EHR should: no raw HTML, no images, links that open beside the chart."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# A card keeps plain hyphens in its dates, to be copied and searched for; no line may end at one.
_DATE = re.compile(r"\b\d{4}-\d\d(?:-\d\d)?\b")


class _Renderer(RendererHTML):
    """HTML with links that leave the page open and tell the other site nothing, and dates on one line."""

    def link_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        tokens[index].attrSet("target", "_blank")
        tokens[index].attrSet("rel", "noopener noreferrer")
        return self.renderToken(tokens, index, options, env)

    def text(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return _DATE.sub(r'<span class="date">\g<0></span>', super().text(tokens, index, options, env))


# "js-default" has tables and no raw HTML, and refuses links to scripts; an image would be fetched from elsewhere.
_MARKDOWN = MarkdownIt("js-default", {"html": False}, renderer_cls=_Renderer).disable("image")


def detail_html(markdown: str) -> str:
    """HTML whose every tag is of our making; what looks like HTML in `markdown` is shown as it is written."""
    return str(_MARKDOWN.render(markdown))
