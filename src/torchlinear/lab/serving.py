"""A lab that listens: its socket, its address, and uvicorn until somebody ends it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from torchlinear.errors import InvalidInput
from torchlinear.lab.safety import is_loopback, new_token
from torchlinear.lab.server import Lab, guarded

__all__ = ["Listening", "listen"]

CLOSING_SECONDS = 1  # that open streams get to end
LONGEST_ADDRESS = 8_192  # bytes of a request's head


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that is bound, and the secret that its address ends in.

    Attributes
    ----------
    listener : socket
        Bound to a port that nobody else has.
    host, token : str
        Where it listens; what every path begins with.
    """

    listener: socket.socket
    host: str
    token: str

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """The address to open."""
        port = self.listener.getsockname()[1]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{port}/{self.token}/"

    def server(self, lab: Lab, ready: Callable[[], None] | None = None) -> uvicorn.Server:
        """The server of a lab, not started yet; `ready` is called once it answers."""
        config = uvicorn.Config(
            guarded(lab, self.token, self.host),
            access_log=False,  # addresses hold the token
            log_level="warning",
            lifespan="off",
            server_header=False,
            http="h11",  # the parser whose limit of a head is set here
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=CLOSING_SECONDS,
            h11_max_incomplete_event_size=LONGEST_ADDRESS,
        )
        return _Server(config, lab, ready)

    def serve(self, lab: Lab, ready: Callable[[], None]) -> None:
        """Answer until Ctrl-C."""
        lab.warm_up()
        try:
            self.server(lab, ready).run(sockets=[self.listener])
        finally:
            self.listener.close()


def listen(host: str = "127.0.0.1", port: int = 0, *, unsafe: bool = False) -> Listening:
    """Bind a socket: to a free port, unless one is named.

    Raises
    ------
    InvalidInput
        `host` is reachable from elsewhere and nobody said that this is meant, or the port is taken.
    """
    if not is_loopback(host) and not unsafe:
        raise InvalidInput(
            f"--host {host} lets other machines reach the lab, and what they send is run here; add --unsafe-host if "
            "that is meant, or leave --host out."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise InvalidInput(
            f"The lab cannot listen on {host}, port {port}: {error}. Leave --port out, and it finds a free one."
        ) from None
    return Listening(listener, host, new_token())


class _Server(uvicorn.Server):
    """Says when it answers, and ends all runs before it waits for the streams."""

    def __init__(self, config: uvicorn.Config, lab: Lab, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self.lab, self.ready = lab, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, and say so, in a thread: a browser may take its time."""
        await super().startup(sockets=sockets)
        if self.ready is not None and self.started:
            threading.Thread(target=self.ready, daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self.lab.runs.close()
        await super().shutdown(sockets=sockets)
