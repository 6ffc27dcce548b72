"""Who may ask the prediction service: whoever can read the token in the home folder."""

from __future__ import annotations

import contextlib
import os
import secrets

from pipelines.errors import StackError
from pipelines.home import Home


def service_token(home: Home) -> str:
    """The bearer token of the service; made at the first call, readable by its owner alone (mode 0600).

    Several processes may call this at once: all get the same token.
    """
    if not home.token.exists():
        make_token(home)
    home.token.chmod(0o600)
    token = home.token.read_text(encoding="ascii").strip()
    if not token:
        raise StackError(f"{home.token} is empty.", "Remove it; a new token is made at the next start.")
    return token


def make_token(home: Home) -> None:
    """Put a new token in place, whole, unless another process was first."""
    home.root.mkdir(parents=True, exist_ok=True)
    draft = home.token.with_name(f".token.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, home.token)  # unlike a rename, never replaces what is there
    finally:
        draft.unlink(missing_ok=True)


def is_authorised(header: str | None, token: str) -> bool:
    """Whether an Authorization header carries the token; takes the same time for every wrong one."""
    return secrets.compare_digest((header or "").encode("utf-8"), f"Bearer {token}".encode())
