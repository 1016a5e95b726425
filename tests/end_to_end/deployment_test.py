#!/usr/bin/env -S python3 -B
"""docs/deploy's cluster for Compose and cluster for Kubernetes, as their files say it: the commands of their containers are run in the order of
the first start, each with its volumes, in a network where names lead to nodes. Each gets a leader, serves, and comes back; what is done once
is refused when it is done again.

No container runtime takes part. What only one could say (volumes' owners, probes, policies) is compared as text.
"""

import ctypes
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from checkout import top
from files import make_file
from processes import check, tell, wait_until
from swarm import START_SECONDS, get_json

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
NODES = (1, 2, 3)


def read(*path):
    with open(os.path.join(top(), "docs", "deploy", *path), encoding="utf-8") as file:
        return file.read()


def enter_own_network(world, hosts):
    """Whether this process and what it starts now have a network of their own, in which these names are: {name: address}."""
    if ctypes.CDLL(None).unshare(_CLONE_NEWNS | _CLONE_NEWNET) != 0:
        return False
    with open(world.path("hosts"), "w", encoding="ascii") as file:
        file.writelines(f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **hosts}.items())
    commands = ["mount --make-rprivate /", f"mount --bind {world.path('hosts')} /etc/hosts", "ip link set lo up"]
    return subprocess.run(["sh", "-c", " && ".join(commands)], capture_output=True, check=False).returncode == 0


class Container:
    """A command, and the volume behind each of its paths."""

    def __init__(self, command, volumes):
        self.command = command
        self.volumes = volumes

    def outside(self, world):
        """The command as it runs without a container: its program is the one under test, its volumes are folders."""
        programs = {"bytetorrent": world.binaries.client, "bytetorrent-tracker": world.binaries.tracker}
        return [programs[self.command[0]], *(self._outside(world, argument) for argument in self.command[1:])]

    def _outside(self, world, argument):
        for inside, volume in self.volumes.items():
            if argument.startswith(inside + "/"):
                folder = world.path("volume-" + volume)
                os.makedirs(folder, exist_ok=True)
                return folder + argument.removeprefix(inside)
        return argument


def commands_in(text):
    return [json.loads(command) for command in re.findall(r"^ +command: (\[.*?\])$", text, re.MULTILINE | re.DOTALL)]


def members_in(command):
    return sorted(value for flag, value in zip(command, command[1:]) if flag == "--node")


def value_of(command, flag):
    check(flag in command, lambda: f"{flag} is not in {command}")
    return command[command.index(flag) + 1]


class Compose:
    """compose.yaml: its services, by name."""

    name = "compose"

    def __init__(self):
        text = read("compose.yaml")
        services = text[text.index("\nservices:") : text.index("\nvolumes:")]
        self.texts = dict(re.findall(r"^  ([\w-]+):\n((?:    .*\n|\n)+)", services, re.MULTILINE))
        self.named = set(re.findall(r"^  ([\w-]+):$", text[text.index("\nvolumes:") :], re.MULTILINE))
        self.containers = {name: self._container(body) for name, body in self.texts.items()}

    @staticmethod
    def _container(text):
        (command,) = commands_in(text.replace("${CLIENT_HOST:-localhost}", "localhost"))
        volumes = json.loads(re.search(r"^ +volumes: (\[.*\])$", text, re.MULTILINE).group(1))
        return Container(command, {volume.split(":")[1]: volume.split(":")[0] for volume in volumes})

    def check_text(self):
        """What no run shows."""
        for number in NODES:
            serve, once = self.containers[f"tracker-{number}"], self.containers[f"init-{number}"]
            check(serve.volumes["/data"] == once.volumes["/data"], f"node {number} is initialised in another volume than it serves from")
            port = value_of(serve.command, "--advertise").split(":")[1]
            check(f'ports: ["{port}:6969/tcp", "{port}:6969/udp"]' in self.texts[f"tracker-{number}"], f"node {number} advertises a port that is not its own")
            check("<<: *once" in self.texts[f"init-{number}"] and "<<: *node" in self.texts[f"tracker-{number}"], "`up` begins what serves, and nothing else")
        used = {volume for container in self.containers.values() for volume in container.volumes.values()}
        check(used == self.named, f"volumes are used and named alike: {used} and {self.named}")
        told = re.findall(r"^# +docker compose run --rm (\S+)$", read("compose.yaml"), re.MULTILINE)
        check(told == ["secret", *(f"init-{number}" for number in NODES)], "the file tells its first start in another order")

    def secret(self):
        return self.containers["secret"]

    def init(self, number):
        return self.containers[f"init-{number}"]

    def serve(self, number):
        return self.containers[f"tracker-{number}"]

    @staticmethod
    def host(number):
        return f"tracker-{number}"

    @staticmethod
    def told(number):
        """Where clients are told to find the node."""
        return f"localhost:696{number}"


class Kubernetes:
    """kubernetes/: the Job of first-start.yaml and the StatefulSet of cluster.yaml."""

    name = "kubernetes"

    def __init__(self):
        self.job, self.set = read("kubernetes", "first-start.yaml"), read("kubernetes", "cluster.yaml")

    def check_text(self):
        name = re.search(r"^kind: StatefulSet\nmetadata:\n  name: (\S+)$", self.set, re.MULTILINE).group(1)
        template = re.search(r"volumeClaimTemplates:\n +- metadata: \{name: (\S+)\}", self.set).group(1)
        claims = set(re.findall(r"(?:claimName: |name: )([\w-]+-NUMBER)\b", self.job)) - {"init-NUMBER"}
        check(claims == {f"{template}-{name}-NUMBER"}, f"the StatefulSet does not look for the volumes {claims}")
        for words in ("ordinals: {start: 1}", "podManagementPolicy: Parallel", "publishNotReadyAddresses: true", "fsGroup: 65532"):
            check(words in self.set, f"cluster.yaml lacks {words}")
        check("initContainers" not in self.set, "an init container would initialise a node whose volume is lost")
        check(f"serviceName: {name}" in self.set and "--from-file=cluster.secret\n" in self.job, "names do not fit")
        mounts = set(re.findall(r"mountPath: (\S+)\b", self.set + self.job))
        check(mounts == {"/data", "/run/secret"}, f"volumes are mounted at {mounts}")

    def secret(self):
        """As the file says to make it."""
        told = re.search(r"^# +(bytetorrent cluster init -o )(cluster\.secret)$", self.job, re.MULTILINE)
        return Container([*told.group(1).split(), "/made/" + told.group(2)], {"/made": "kubernetes-secret"})

    def init(self, number):
        (command,) = commands_in(self.job.replace("NUMBER", str(number)))
        return Container(command, {"/data": f"kubernetes-{number}", "/run/secret": "kubernetes-secret"})

    def serve(self, number):
        (command,) = commands_in(self.set)
        return Container([word.replace("$(NODE_ID)", str(number)) for word in command], {"/data": f"kubernetes-{number}"})

    @staticmethod
    def host(number):
        return f"tracker-{number}.tracker.bytetorrent.svc.cluster.local"

    def told(self, number):
        return f"{self.host(number)}:6969"


class Deployment:
    """One of them, run."""

    def __init__(self, world, files):
        self.world = world
        self.files = files
        self.processes = {}

    def once(self, name, container, status=0):
        process = self.world.run(f"{self.files.name}-{name}", container.outside(self.world))
        check(process.status == status, lambda: f"{name} ended with {process.status}: {process.err()}")

    def first_start(self):
        self.once("secret", self.files.secret())
        for number in NODES:
            init, serve = self.files.init(number), self.files.serve(number)
            check(members_in(init.command) == members_in(serve.command) and len(members_in(init.command)) == len(NODES), "init and serving name the same members")
            check(value_of(init.command, "--id") == value_of(serve.command, "--id") == str(number), f"node {number} has its number")
            self.once(f"init-{number}", init)
            self.once(f"init-{number}-again", init, status=1)
        self.once("secret-again", self.files.secret(), status=1)

    def start(self):
        for number in NODES:
            self.processes[number] = self.world.start(f"{self.files.name}-{number}", self.files.serve(number).outside(self.world))
        for number in NODES:
            wait_until(lambda n=number: self.ready(n), START_SECONDS, f"node {number} to be ready")

    def url(self, number):
        return f"http://{self.files.host(number)}:6969"

    def ready(self, number):
        check(self.processes[number].running(), lambda: f"node {number} ended: {self.processes[number].err()}")
        try:
            with urllib.request.urlopen(self.url(number) + "/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        for process in self.processes.values():
            process.signal(signal.SIGTERM)
        for process in self.processes.values():
            check(process.wait(30) == 0, lambda p=process: f"{p.name} did not stop in order: {p.err()}")

    def register(self, name):
        """A torrent, and that a node gives it out with the nodes' addresses as clients are to know them."""
        client = self.world.binaries.client
        trackers = [part for number in NODES for part in ("--tracker", self.url(number))]
        file, torrent = make_file(self.world.path(name), 50_000), self.world.path(name + ".torrent")
        self.world.run("create", [client, "create", file, *trackers, "-o", torrent])
        process = self.world.run("register", [client, "register", torrent])
        check(process.status == 0, lambda: f"register failed: {process.err()}")
        for asked, named in itertools.product(NODES, NODES):
            with urllib.request.urlopen(f"{self.url(asked)}/torrents/{name}", timeout=10) as answer:
                announce = f"http://{self.files.told(named)}/announce"
                check(announce.encode() in answer.read(), f"a torrent that node {asked} serves does not name {announce}")

    def names(self):
        answer = get_json(self.url(2) + "/torrents")
        return [entry["name"] for entry in answer["torrents"]] if answer else None


def story(world):
    kinds = [Compose(), Kubernetes()]
    for files in kinds:
        files.check_text()
    hosts = {files.host(number): f"127.0.{1 + place}.{number}" for place, files in enumerate(kinds) for number in NODES}
    if not enter_own_network(world, hosts):
        print("SKIPPED: this user may not make namespaces, so the commands of the files were compared and not run", file=sys.stderr)
        return
    for files in kinds:
        deployment = Deployment(world, files)
        deployment.first_start()
        deployment.start()
        deployment.register(f"{files.name}.bin")
        deployment.stop()
        deployment.start()
        # A node answers lists by its own knowledge, which may be a moment behind.
        wait_until(lambda d=deployment: d.names() == [f"{d.files.name}.bin"], START_SECONDS, lambda d=deployment: f"{d.files.name}: what was registered to be there after a restart")
        deployment.stop()


if __name__ == "__main__":
    tell(story, 180)
