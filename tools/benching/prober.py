"""A stream of requests at one server, one each millisecond, and when each was answered."""

import socket
import threading
import time


class Prober:
    """Sends request(number) once a period (a millisecond) on one connection, whatever has been answered, until it is closed.

    `answers` are (sent, answered, status) of time.monotonic, in order; what is unanswered for `patience` seconds, or when the
    connection ends, counts as failed and a new connection is made. A server that answers one request after the other, and holds
    each for long, needs a short patience: what is queued would be measured.
    """

    def __init__(self, target, request, patience=15.0, period=0.001, source=""):
        self.target = target
        self.period = period
        self.source = (source, 0)  # the address it comes from
        self.request = request
        self.patience = patience
        self.answers = []
        self.failures = []  # when
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._stopping.set()
        self._thread.join()

    def first_sent_after(self, moment):
        """When the first request that was sent after `moment` was answered with 2xx; None: not yet."""
        # The answers come in the order of the requests, so the earliest in the list is the earliest in time.
        return next((a for s, a, st in self.answers[-4000:] if s >= moment and 200 <= st < 300), None)

    def _run(self):
        number = 0
        while not self._stopping.is_set():
            try:
                connection = socket.create_connection(self.target, timeout=1, source_address=self.source)
            except OSError:
                self.failures.append(time.monotonic())
                self._stopping.wait(0.005)
                continue
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                number = self._converse(connection, number)

    def _converse(self, connection, number):
        open_since = []
        received = b""
        next_send = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= next_send:
                try:
                    connection.setblocking(True)
                    connection.sendall(self.request(number))
                except OSError:
                    self.failures.extend([now] * (len(open_since) + 1))
                    return number + 1
                open_since.append(now)
                number += 1
                next_send = max(next_send + self.period, now)
            connection.settimeout(max(next_send - time.monotonic(), 1e-5))
            try:
                part = connection.recv(65536)
            except (TimeoutError, BlockingIOError):
                part = None
            except OSError:
                part = b""
            now = time.monotonic()
            if part == b"" or (open_since and now - open_since[0] > self.patience):
                self.failures.extend([now] * len(open_since))
                return number
            if part:
                received = self._take(received + part, open_since, now)
        return number

    def _take(self, received, open_since, now):
        """Notes every whole response at the front; the rest."""
        while True:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return received
            head = received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(received) < end + 4 + length:
                return received
            self.answers.append((open_since.pop(0), now, int(received[9:12])))
            received = received[end + 4 + length :]
