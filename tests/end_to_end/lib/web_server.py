"""A web server that serves a directory in ranges (RFC 9110), as servers do that a torrent names as web seeds (BEP 19)."""

import functools
import http.server
import re
import ssl
import threading


class WebServer:
    """`vice`: what it does instead of serving: "lies", "errs", "whole" (knows no ranges), "other-range"; or a URL to redirect to.
    `asked` are the paths and ranges it was asked for; `at_once` is how many answers were under way at one time, at most."""

    def __init__(self, directory, vice="", certificate=None):
        self.vice = vice
        self.asked = []
        self.at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()
        handler = functools.partial(_Handler, self, directory=directory)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def lengths(self):
        """Of the ranges."""
        bounds = [re.fullmatch(r"bytes=(\d+)-(\d+)", ranges) for _, ranges in self.asked]
        return [int(bound[2]) - int(bound[1]) + 1 for bound in bounds if bound]

    def enter(self, by):
        with self._lock:
            self._under_way += by
            self.at_once = max(self.at_once, self._under_way)


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, owner, *arguments, **named):
        self.owner = owner
        super().__init__(*arguments, **named)

    def do_GET(self):
        self.owner.asked.append((self.path, self.headers.get("Range", "")))
        self.owner.enter(1)
        try:
            self._answer()
        finally:
            self.owner.enter(-1)

    def _answer(self):
        vice = self.owner.vice
        if vice.startswith(("http", "/")) and self.path != vice:
            return self._send(302, b"", Location=vice)
        try:
            with open(self.translate_path(self.path), "rb") as file:
                whole = file.read()
        except OSError:
            return self._send(404, b"no such file")
        if vice == "errs":
            return self._send(503, b"not now")
        if vice == "whole":
            return self._send(200, whole)
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        body = whole[first : last + 1]
        if vice == "lies":
            body = bytes([body[0] ^ 1]) + body[1:]
        told = f"bytes {first + (vice == 'other-range')}-{last}/{len(whole)}"
        return self._send(206, body, **{"Content-Range": told})

    def _send(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
