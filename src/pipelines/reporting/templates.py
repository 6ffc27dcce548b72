"""Templates of our pages: everything from outside escaped, one look for all."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from pipelines.costs import describe_cost
from pipelines.markdown import make_visible
from pipelines.reporting import words


@cache
def page_template(package: str, name: str = "page.html.j2") -> Template:
    """A template of a package, which may include the look that all pages share: `page.css`.

    Control characters in whatever it is given are shown, not obeyed.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader("pipelines.reporting", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: make_visible(value) if type(value) is str else value,  # what is ours is Markup
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=words.number,
        moment=words.moment,
        day=words.day,
        duration=words.duration,
        cost=describe_cost,
        breakable=make_breakable,
    )
    environment.globals.update(span=words.span)
    return environment.get_template(name)


def make_breakable(name: str) -> Markup:
    """A name of many words that may go on in the next line after an underscore."""
    return escape(make_visible(name)).replace("_", Markup("_<wbr>"))
