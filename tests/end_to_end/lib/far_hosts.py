"""Hosts of a network of one's own: each a network namespace behind a link of a stated rate, all at one bridge."""

import ctypes
import os
import subprocess

from processes import wait_until

_CLONE_NEWNET = 0x40000000
_SHAPES = "ip link set lo up && ip link add name hub type bridge && tc qdisc add dev hub root tbf rate 1mbit burst 8k latency 1s"


def shell(text):
    subprocess.run(["sh", "-c", text], check=True)


def enter_own_network():
    """Whether this process, and what it starts, now has a network of its own whose links it may shape."""
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET) != 0:
        return False
    tried = subprocess.run(["sh", "-c", f"{_SHAPES} && tc qdisc del dev hub root"], capture_output=True, check=False)
    return tried.returncode == 0


class FarHosts:
    """Host N is 10.9.0.N; this process is 10.9.0.254. The namespaces end with the processes in them."""

    def __init__(self, world):
        self.world = world
        self.spaces = {}
        shell("ip addr add 10.9.0.254/24 dev hub && ip link set hub up")

    @staticmethod
    def address(number):
        return f"10.9.0.{number}"

    def add(self, number, up, down=None, queue="400ms"):
        """A host that sends at the rate `up` and receives at `down`, in tc's words; None: unlimited."""
        space = self.world.start(f"space{number}", ["unshare", "-n", "sleep", "1000"])
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{space.pid}/ns/net") != own, 10, "a network namespace")
        within = ["ip link set lo up", f"ip link set eth0 address {self._hardware(number)}", f"ip addr add {self.address(number)}/24 dev eth0", "ip link set eth0 up"]
        shell(f"ip link add v{number} type veth peer name eth0 netns {space.pid} && ip link set v{number} master hub up")
        if up:
            within.append(self._shape("eth0", up, queue))
        if down:
            shell(self._shape(f"v{number}", down, queue))
        shell(f"nsenter -t {space.pid} -n sh -c '{' && '.join(within)}'")
        self.spaces[number] = space

    @staticmethod
    def _hardware(number):
        return f"02:00:0a:09:00:{number:02x}"

    def introduce(self):
        """Tells each host where all others are: the kernel's table of neighbours is one for all of them, and too small to ask."""
        for number, space in self.spaces.items():
            lines = [f"neigh replace {self.address(other)} lladdr {self._hardware(other)} dev eth0 nud permanent" for other in self.spaces if other != number]
            command = ["nsenter", "-t", str(space.pid), "-n", "ip", "-batch", "-"]
            subprocess.run(command, input="\n".join(lines), text=True, check=True)

    def reshape(self, number, rate, queue):
        """Another rate, both ways."""
        shell(self._shape(f"v{number}", rate, queue))
        shell(f"nsenter -t {self.spaces[number].pid} -n {self._shape('eth0', rate, queue)}")

    @staticmethod
    def _shape(device, rate, queue):
        return f"tc qdisc replace dev {device} root tbf rate {rate} burst 16k latency {queue}"

    def at(self, number):
        """What a command begins with to run at that host."""
        return ["nsenter", "-t", str(self.spaces[number].pid), "-n"]
