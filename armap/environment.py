"""The only module that reads or sets environment variables."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["program", "proxy_for", "secret", "suggest"]


def secret(name: str) -> str:
    """Return the variable's value, or an empty string; the value is never logged or stored.

    Blanks and line ends around it, as files with keys have them, are no part of it.
    """
    return os.environ.get(name, "").strip()


def proxy_for(url: str) -> str | None:
    """The proxy that ``http_proxy``, ``https_proxy`` and ``no_proxy`` name for ``url``.

    Without a scheme it is meant with ``http://``, as curl takes it.
    """
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    proxy = getproxies().get(parts.scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def suggest(name: str, value: str) -> None:
    """Set a variable for a library that is configured by no other means, unless it is set."""
    os.environ.setdefault(name, value)


def program(name: str, *, home: str) -> str | None:
    """Where a program is: below the folder that the variable ``home`` names, or on the path.

    None when it is in neither place.
    """
    folder = os.environ.get(home, "").strip()
    found = shutil.which(name, path=str(Path(folder) / "bin")) if folder else None
    return found or shutil.which(name)
