"""A daemon of a story: its process, its state and its socket, and what is asked of it there."""

import http.client
import json
import os
import socket

from processes import wait_until

DAEMON_SECONDS = 60


class Daemon:
    """A daemon, its state and its socket, which survive its process."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.state = world.path(name + "-state")
        self.socket = world.path(name + ".sock")
        self.process = None

    def start(self, *flags):
        command = [self.world.binaries.client, "daemon", "--state-dir", self.state, "--control", self.socket, "--listen", "127.0.0.1:0", *flags]
        self.process = self.world.start(self.name, command)
        self.process.wait_for_line(r"^serving ", DAEMON_SECONDS)
        return self

    def connect(self):
        connection = http.client.HTTPConnection("localhost", timeout=DAEMON_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        # The name of a socket has at most 107 bytes, which a test's folder may exceed.
        folder = os.open(os.path.dirname(self.socket), os.O_PATH)
        connection.sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(self.socket)}")
        os.close(folder)
        # Not before: with a timeout, connecting does not wait for a place in the daemon's backlog.
        connection.sock.settimeout(DAEMON_SECONDS)
        return connection

    def ask(self, method, path, body=None):
        """The status and the JSON of an answer."""
        connection = self.connect()
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def transfer(self, number):
        return self.ask("GET", f"/transfers/{number}")[1]

    def wait_for(self, number, state):
        wait_until(lambda: self.transfer(number).get("state") == state, DAEMON_SECONDS, lambda: f"{state}: {self.transfer(number)}")
        return self.transfer(number)

    def saved(self):
        """The transfers as they are on the disk."""
        with open(os.path.join(self.state, "transfers"), encoding="utf-8") as file:
            return json.load(file)["transfers"]
