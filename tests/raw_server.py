"""A server that sends any bytes, at any pace, with or without TLS."""

import socket
import ssl
import threading
import time


class RawServer:
    """Answers each request with what `respond(id)` returns: bytes, or an iterator of bytes and of seconds to wait."""

    def __init__(self, respond, *, tls=None):
        self.respond = respond
        self.tls = tls
        self.requests = []
        self.stopping = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.stopping.set()
        self.listener.close()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self._answer(connection)
        except (OSError, ssl.SSLError):
            pass  # the client hung up first, as it should

    def _answer(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            part = connection.recv(65536)
            if not part:
                return
            request += part
        self.requests.append(request)
        answer = self.respond(request.split()[1].decode().rpartition("/")[2])
        end = time.monotonic() + 20
        for part in [answer] if isinstance(answer, bytes) else answer:
            if isinstance(part, bytes):
                connection.sendall(part)
            elif self.stopping.wait(part):
                return
            if time.monotonic() > end:
                return
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1)
        while connection.recv(65536):
            pass
