"""What of an address may be shown: no password, no token, no value whose name is not known to be harmless."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HARMLESS = {
    *(
        "page",
        "table",
        "sheet",
        "gid",
        "format",
        "year",
        "month",
        "day",
        "date",
        "from",
        "to",
        "start",
        "end",
    ),
    *("version", "versionid", "v", "limit", "offset", "driver", "host", "port", "dbname", "database"),
    *("server", "charset", "client_encoding", "schema", "sslmode", "connect_timeout", "mode", "uri"),
}
PLAIN = re.compile(r"[\w.:/{} -]{0,60}")  # a harmless name may stand before anything
PARAMETER = re.compile(r"([?&;])([^=&;?#\s]+)=([^&#\s'\")]*)")
MASK = "***"
SHORTEST = 2  # characters of a secret that is sought in other texts


def scheme_of(address: str) -> str:
    """`s3` of s3://bucket/key; empty for a path."""
    scheme, mark, _ = address.partition("://")
    return scheme.lower() if mark and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else ""


def is_web(address: str) -> bool:
    return scheme_of(address) in ("http", "https")


def hide_secrets(address: str) -> str:
    """The address as people may see it; a path as it is."""
    if not scheme_of(address):
        return address
    start, mark, rest = address.partition("://")
    if is_web(address):
        rest = rest.partition("#")[0]
        rest, query, said = rest.partition("?")
        if query:
            rest += "?" + "&".join(part if "=" in part else MASK for part in re.split("[&;]", said))
    user = user_of(rest)
    if user:
        shown = MASK if is_web(address) else user.partition(":")[0] + (f":{MASK}" if ":" in user else "")
        rest = shown + rest[len(user) :]
    return start + mark + hide_parameters(rest)


def user_of(rest: str) -> str:
    """`user:password` of what follows `://`; a password may have a slash in it that should be %2F."""
    host = re.split(r"[/?#]", rest)[0]
    if "@" in host:
        return host.rpartition("@")[0]
    user, at, _ = re.split(r"[?#]", rest)[0].rpartition("@")
    return user if at and ":" in host and not re.search(r":\d*$", host) else ""


def hide_parameters(text: str) -> str:
    """A text without the values of such parameters as `?name=value&name=value`."""
    return PARAMETER.sub(lambda m: f"{m[1]}{m[2]}={shown_value(m[2], m[3])}", text)


def shown_value(name: str, value: str) -> str:
    """A parameter's value where its name is harmless; of a list of `name=value;` those that are."""
    bare = unquote_plus(value)
    if name.lower() == "odbc_connect":
        parts = [part.partition("=")[::2] for part in bare.split(";") if part]
        return ";".join(f"{key}={shown_value(key.strip(), said)}" for key, said in parts)
    return value if name.lower() in HARMLESS and PLAIN.fullmatch(bare) else MASK


def secrets_of(address: str) -> list[str]:
    """Every part of an address that is not shown, in the spellings of errors; longest first."""
    if not scheme_of(address):
        return []
    rest, web = address.partition("://")[2], is_web(address)
    user, _, password = user_of(rest).partition(":")
    found = {password, *([user, rest.partition("#")[2]] if web else [])}
    query = rest.partition("?")[2].partition("#")[0]
    for name, value in re.findall(r"(?:^|[&;])([^=&;]+)=?([^&;]*)", query):
        said = unquote_plus(value)
        pairs = [item.partition("=")[::2] for item in said.split(";")] if "=" in said else []
        found |= {text for key, text in pairs if shown_value(key.strip(), text) == MASK}
        found |= {value or (name if web else "")} if MASK in shown_value(name, value) else set()
    spelled = {turn(text) for text in found if text for turn in (str, unquote, unquote_plus)}
    spelled |= {turn(text) for text in spelled for turn in (quote, quote_plus)}
    return sorted((text for text in spelled if len(text) >= SHORTEST), key=len, reverse=True)


def without_secrets_of(address: str, text: str) -> str:
    """A text, such as an error's, without what an address hides."""
    for secret in secrets_of(address):
        text = re.sub(
            rf"(?<!\w){re.escape(secret)}(?!\w)" if len(secret) < 6 else re.escape(secret), MASK, text
        )
    return hide_parameters(text)
