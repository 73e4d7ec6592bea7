"""Render HTML pages from templates: every value escaped, an undefined one refused.

Flask escapes by the ending of a template's name, and leaves `.html.jinja` unescaped; here every value is escaped. Pages
carry no style and no script of their own (the Content-Security-Policy allows neither): both lie in `static/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

# Where the files under /static/ lie.
STATIC_FOLDER = Path(__file__).with_name("static")

# Templates of this package, which hold the frame of every page (`base.html.jinja`).
_FRAME = PackageLoader("cds_service.web")


def page_environment(package: str | None = None) -> Environment:
    """Templates of `cds_service.web`, and those in the folder `templates` of another package before them."""
    loaders = [PackageLoader(package), _FRAME] if package else [_FRAME]
    return Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_ENVIRONMENT = page_environment()


def page(template: str, **values: Any) -> str:
    """One template of `cds_service.web` filled in.

    Raises:
        UndefinedError: the template names a value that was not given.
    """
    return _ENVIRONMENT.get_template(template).render(values)


def capital(text: str) -> str:
    """A text as it begins a sentence; words with a capital inside (`eGFR`) stay as they are."""
    first = text.split(" ", 1)[0]
    return text if any(letter.isupper() for letter in first) else text[:1].upper() + text[1:]
