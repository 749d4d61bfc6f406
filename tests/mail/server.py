"""A mail server that does what a test wants of it: takes mail, refuses a recipient, breaks off, or says nothing."""

from dataclasses import dataclass, field
from enum import Enum
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self


class Mood(Enum):
    """How the server is."""

    WELL = "well"
    REFUSES = "refuses"  # a recipient
    BREAKS_OFF = "breaks off"
    HANGS = "hangs"


@dataclass
class MailServer:
    """A context in which the server listens. `mail` is what it has taken; `moods` are by recipient, others have `mood`."""

    mood: Mood = Mood.WELL
    moods: dict[str, Mood] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)
    """What it says to a command instead of what it otherwise would; to "." when it has received a message."""
    mail: list[tuple[str, str]] = field(default_factory=list)
    calls: int = 0
    released: Event = field(default_factory=Event)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Dialogue)
        self._server.owner = self
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._server.server_address[1]}"

    @property
    def recipients(self) -> list[str]:
        return [to for to, _ in self.mail]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    owner: MailServer


class _Dialogue(StreamRequestHandler):
    def handle(self) -> None:
        owner: MailServer = self.server.owner  # type: ignore[attr-defined]
        owner.calls += 1
        if owner.mood is Mood.BREAKS_OFF:
            return
        if owner.mood is Mood.HANGS:
            owner.released.wait(60)
            return
        self._say("220 here")
        recipient = ""
        while line := self.rfile.readline():
            command = line.decode().split(":")[0].split()[0].upper()
            match command:
                case _ if command in owner.replies:
                    self._say(owner.replies[command])
                case "RCPT":
                    recipient = line.decode().partition("<")[2].partition(">")[0]
                    self._answer_recipient(owner.moods.get(recipient, owner.mood))
                case "DATA":
                    self._say("354 go on")
                    message = self._message()
                    if "." not in owner.replies:
                        owner.mail.append((recipient, message))
                    self._say(owner.replies.get(".", "250 taken"))
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _answer_recipient(self, mood: Mood) -> None:
        self._say("550 nobody here has that name" if mood is Mood.REFUSES else "250 ok")

    def _message(self) -> str:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        return b"".join(lines).decode()

    def _say(self, line: str) -> Any:
        self.wfile.write(f"{line}\r\n".encode())
