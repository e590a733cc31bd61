"""A proxy before PostgreSQL that cuts the line at the k-th message of a chosen direction."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from sqlalchemy import make_url


class Proxy:
    """Listens on a socket in `folder`; use :meth:`url` instead of the server's. Counts messages from :meth:`arm` on.

    Direction ``to_server``: the k-th message does not arrive. ``to_client``: it arrived and was done, its answer is lost.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._wanted = make_url(url)
        self._folder = folder
        self._lock = threading.Lock()
        self._direction, self._at, self._seen = "", 0, 0
        self.cut = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self) -> str:
        """The address that leads through the proxy."""
        through = self._wanted.set(host=None, port=None, query={"host": str(self._folder), "port": "5432"})
        return through.render_as_string(hide_password=False)

    def arm(self, direction: str, at: int) -> None:
        """Cut at the `at`-th message from now on."""
        with self._lock:
            self._direction, self._at, self._seen, self.cut = direction, at, 0, False

    def disarm(self) -> bool:
        """Cut no more; whether there was a cut."""
        with self._lock:
            self._direction = ""
            return self.cut

    def close(self) -> None:
        """Accept nobody any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, self._connect() as server:
            back = threading.Thread(target=self._pump, args=(server, client, "to_client"), daemon=True)
            back.start()
            self._pump(client, server, "to_server")
            back.join()

    def _connect(self) -> socket.socket:
        query = self._wanted.query
        folder, port = str(query.get("host") or ""), query.get("port") or self._wanted.port or 5432
        if folder.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{folder}/.s.PGSQL.{port}")
            return server
        return socket.create_connection((folder or self._wanted.host or "127.0.0.1", int(str(port))))

    def _pump(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        try:
            while data := source.recv(1 << 20):
                if self._cuts(direction):
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _cuts(self, direction: str) -> bool:
        with self._lock:
            if direction != self._direction:
                return False
            self._seen += 1
            if self._seen != self._at:
                return False
            self.cut = True
            return True
