"""What both clients consist of, apart from their methods: where the servers are, and how they are called."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import grpc

from polarway import _address, _arguments, _revision
from polarway._address import Address
from polarway._calls import Call, Common, Kind, Workers
from polarway._forms import Forms
from polarway._generated import messages, methods
from polarway._progress import Progress, is_wanted
from polarway._transport import Transport, Worker
from polarway._wire import Method, Request, Response
from polarway.errors import InvalidInput

_LOG: Final = logging.getLogger("polarway")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a user says about a client."""

    addresses: tuple[Address, ...]
    timeout_s: float
    # A secret: it is in no text of this object.
    token: str | None = dataclasses.field(repr=False)
    credentials: grpc.ChannelCredentials | None = dataclasses.field(repr=False)
    # Whether long transfers show how far they are.
    has_progress: bool

    @classmethod
    def of(
        cls,
        host: str | Iterable[str] | None,
        port: int | None,
        timeout: float | timedelta,
        credentials: grpc.ChannelCredentials | None,
        auth_token: str | None,
        progress: bool | None,
    ) -> Settings:
        """From the arguments of a client.

        Raises:
            InvalidInput: One of them can't be used.
        """
        timeout_s = _arguments.seconds(timeout, "timeout")
        if credentials is not None and not isinstance(credentials, grpc.ChannelCredentials):
            raise InvalidInput("credentials are what grpc.ssl_channel_credentials returns")
        addresses = _address.addresses(host, port, credentials is not None)
        token = _address.token(auth_token)
        if token is not None:
            for address in addresses:
                if not (address.is_secure or address.is_this_machine):
                    _LOG.warning("the token goes to %s in the clear: use https://", address.host)
        return cls(addresses, timeout_s, token, credentials, is_wanted(progress))

    @property
    def urls(self) -> list[str]:
        """The servers."""
        return [f"{'https' if address.is_secure else 'http'}://{address}" for address in self.addresses]

    @property
    def shown(self) -> str:
        """The servers and the timeout, for people."""
        urls = self.urls
        return f"{urls[0] if len(urls) == 1 else urls!r}, timeout={self.timeout_s:g}"

    def picklable(self) -> Settings:
        """The same settings, for a pickle.

        Raises:
            InvalidInput: They have credentials, which can't be pickled.
        """
        if self.credentials is not None:
            raise InvalidInput("a client with credentials can't be pickled: gRPC does not show what they contain")
        return self


class Core:
    """A client without its methods. Flows get it as their first argument."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self.settings = settings
        self.transport = transport
        headers = () if settings.token is None else (("authorization", f"Bearer {settings.token}"),)
        self._common = Common(transport, Workers(settings.addresses), headers, settings.timeout_s)
        self.forms = Forms()
        """The schemas that were seen."""
        # Whether a server of this protocol has answered.
        self._is_greeted = False

    @property
    def workers(self) -> tuple[Worker, ...]:
        """All workers that this client knows."""
        return self._common.workers.all

    async def call(self, kind: Kind = Kind.IDEMPOTENT, only: Worker | None = None) -> Call:
        """A call that any worker may answer, or only one.

        Before the first call, a server is asked for the protocol that it speaks. This is not retried if none can be
        reached, so that a wrong address is found at once.

        Raises:
            Unavailable: No server can be reached.
            ProtocolError: The server and this client are too far apart.
        """
        if not self._is_greeted:
            await self._greet()
        return self._call(kind, only)

    async def unary(
        self,
        method: Method[Request, Response],
        request: Request,
        kind: Kind = Kind.IDEMPOTENT,
        only: Worker | None = None,
    ) -> Response:
        """Makes a call with one message and one answer, which may be made again.

        Raises:
            PolarwayError: The call failed.
        """
        call = await self.call(kind, only)
        return await call.run(lambda attempt: attempt.unary(method, request))

    async def pages(self, method: Method[Any, Response], request: Any) -> list[Response]:
        """All pages of a list that the server gives in several calls.

        Raises:
            PolarwayError: A call failed.
        """
        pages: list[Response] = []
        while True:
            page: Any = await self.unary(method, request)
            pages.append(page)
            if not page.next_page_token:
                return pages
            request.page_token = page.next_page_token

    def progress(self, doing: str) -> Progress:
        """A line that shows how far a transfer is, if the user wants it."""
        return Progress(doing, sys.stderr if self.settings.has_progress else None)

    async def health(self) -> messages.HealthCheckResponse:
        """Asks whether the server serves. It tells that without a token, and whatever the protocol's revision."""
        request = messages.HealthCheckRequest(service=_SERVICE)
        kind = Kind.IDEMPOTENT if self._is_greeted else Kind.PROBE

        return await self._call(kind, None).run(lambda attempt: attempt.unary(methods.HEALTH_CHECK, request))

    async def _greet(self) -> None:
        request = messages.GetServerInfoRequest()
        call = self._call(Kind.PROBE, None)
        _revision.check(await call.run(lambda attempt: attempt.unary(methods.GET_SERVER_INFO, request)))
        self._is_greeted = True

    def _call(self, kind: Kind, only: Worker | None) -> Call:
        return Call(self._common, kind, only)


_SERVICE: Final = methods.STORE.path.split("/")[1]
