"""Who may ask: a key in the Authorization header, or anybody on this machine while there are none.

Without keys only loopback is served, and only under a name that no foreign page can have pointed
at it; `triage serve` refuses to start on any other address then.
"""

import logging
from functools import lru_cache
from ipaddress import ip_address

from fastapi import Request
from fastapi.security.http import HTTPBase
from starlette.datastructures import URL

from triage.schema import ConfigError
from triage.service.keys import Keyring, Scope
from triage.service.limits import Rate
from triage.service.problems import Refusal

LOG = logging.getLogger("triage.service")
NOBODY = "-"
"""The key id of a caller that needs none."""


class Guard(HTTPBase):
    """A dependency that lets a request through or refuses it.

    Parameters
    ----------
    ring : Keyring
        The keys.
    rate : Rate
        How often a key may ask.
    *scopes : str
        One of these is needed; any key will do if there are none.
    """

    def __init__(self, ring: Keyring, rate: Rate, *scopes: Scope) -> None:
        super().__init__(
            scheme="bearer", scheme_name="key",
            description="A key made with `triage keys add`; needed once there is one.",
        )  # fmt: skip
        self.ring = ring
        self.rate = rate
        self.scopes = scopes

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """Check the key of a request and leave its id in the request's state.

        Raises
        ------
        Refusal
            401 without a valid key, 403 without its scope, 429 over its rate.
        """
        if self.ring.stale:
            look(self.ring)
        name = self._keyless(request) if not self.ring.asked else self._known(request)
        request.state.key = name
        self.rate.take(name)

    def _known(self, request: Request) -> str:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        key = self.ring.find(shown.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Refusal("key_needed")
        request.state.key = key.id
        if not key.may(self.scopes):
            raise Refusal("scope_missing")
        return key.id

    @staticmethod
    def _keyless(request: Request) -> str:
        server = request.scope.get("server") or ("", None)
        if not _is_local(server[0]) or not _names_us(request.headers.get("host", "")):
            raise Refusal("host_refused")
        return NOBODY


def look(ring: Keyring) -> None:
    """Read the keys again; a file that can't be read is logged and changes nothing."""
    try:
        ring.look()
    except ConfigError as error:
        LOG.error("keys not read again: %s", error)


@lru_cache(maxsize=256)
def _names_us(host: str) -> bool:
    """Tell whether a Host header, with or without a port, names this machine."""
    return _is_local(URL(f"http://{host}").hostname or "")


@lru_cache(maxsize=256)
def _is_local(host: str) -> bool:
    """Tell whether a host is loopback, or a bare name, which no foreign page can be served under.

    Examples
    --------
    >>> [_is_local(host) for host in ("127.0.0.1", "::1", "localhost", "10.0.0.1", "evil.example")]
    [True, True, True, False, False]
    """
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return "." not in host
