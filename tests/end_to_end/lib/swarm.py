"""A tracker cluster and the clients of a story, on real processes."""

import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

from processes import Failure, check, wait_until

# A loaded machine of two cores is slow, not wrong: deadlines are for what never happens.
START_SECONDS = 30
OFFER_SECONDS = 60
DOWNLOAD_SECONDS = 120


def get_json(url, timeout=2.0, context=None):
    """The JSON answer, or None when there is none. `context`: whom to trust, of an https URL."""
    try:
        with urllib.request.urlopen(url, timeout=timeout, context=context) as answer:
            return json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return None


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class TrackerNode:
    """One member: its ports and data survive its process."""

    def __init__(self, cluster, number, replica_port, client_port):
        self.cluster = cluster
        self.id = number
        self.replica_port = replica_port
        self.client_port = client_port
        # A fresh one for each choice of ports: a world may hold several clusters of one name.
        self.data = cluster.world.path(f"{cluster.name}-data-{replica_port}-{number}")
        self.process = None

    @property
    def url(self):
        scheme = "https" if self.cluster.tls else "http"
        return f"{scheme}://{self.cluster.client_host}:{self.client_port}"

    def get(self, path, timeout=2.0):
        return get_json(self.url + path, timeout, self.cluster.tls)

    @property
    def node_flag(self):
        return f"{self.id}=127.0.0.1:{self.replica_port}/{self.cluster.client_host}:{self.client_port}"

    @property
    def flags(self):
        """What serving takes, and init."""
        return ["--id", self.id, "--data-dir", self.data, *self.cluster.node_flags()]

    def init(self, secret=None, *flags):
        """Writes its first state, as an operator does once for each node."""
        world = self.cluster.world
        command = [world.binaries.tracker, "init", "--cluster-secret", secret or self.cluster.secret(), *self.flags, *self.cluster.init_flags, *flags]
        process = world.run(f"{self.cluster.name}-init-{self.id}", command)
        check(process.status == 0, lambda: f"init of node {self.id} failed: {process.err()}")

    def start(self):
        tracker = self.cluster.world.binaries.tracker
        command = [*self.cluster.prefix, tracker, *self.flags, *self.cluster.serving_flags, *self._record_flags()]
        self.process = self.cluster.world.start(f"{self.cluster.name}-{self.replica_port}-{self.id}", command)

    def _record_flags(self):
        """Each life in a file of its own, if the cluster is recorded."""
        recordings = self.cluster.recordings
        if recordings is None:
            return []
        recordings.append(self.cluster.world.path(f"{self.cluster.name}-{self.replica_port}-{self.id}-{len(recordings)}.recording"))
        return ["--record", recordings[-1]]

    def kill(self):
        self.process.kill()

    def stall(self):
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def running(self):
        return self.process is not None and self.process.running()

    def status(self):
        """This node's own view as a dictionary, or None when it does not answer."""
        return self.get("/status")

    def peers(self, key, linearizable=False):
        """{host:port: complete} of a torrent, as this node knows it, or None."""
        question = "?linearizable=1" if linearizable else ""
        answer = self.get(f"/torrents/{urllib.parse.quote(key)}/peers{question}", timeout=6)
        if answer is None or "peers" not in answer:
            return None
        return {peer["peer"]: peer["complete"] for peer in answer["peers"]}

    def torrents(self):
        """Names of the registered torrents as this node knows them, or None."""
        answer = self.get("/torrents")
        return None if answer is None else [entry["name"] for entry in answer["torrents"]]


class Cluster:
    def __init__(self, world, size=3, name="tracker", client_host="127.0.0.1", serving_flags=(), prefix=(), init_flags=(), recorded=False, tls=None):
        self.world = world
        self.size = size
        self.name = name
        self.client_host = client_host
        self.serving_flags = serving_flags
        self.init_flags = init_flags
        self.tls = tls  # an SSLContext: whom to trust, of nodes that are asked over https
        self.prefix = prefix  # a command that ends by becoming the one behind it
        self.recordings = [] if recorded else None  # files
        self.nodes = []

    def start(self, secret_of=lambda node: None):
        """Starts every node on free ports; should another program take one in between, chooses again.

        `secret_of(node)`: the file with another secret than the cluster's, or None."""
        for _ in range(5):
            self.choose_nodes()
            for node in self.nodes:
                node.init(secret=secret_of(node))
                node.start()
            if self._came_up():
                return self
            for node in self.nodes:
                node.kill()
        raise Failure("the tracker cluster did not start: see the words of its nodes")

    def choose_nodes(self):
        ports = self.world.free_port
        self.nodes = [TrackerNode(self, number, ports(), ports()) for number in range(1, self.size + 1)]

    def secret(self):
        """The file with the cluster's secret, drawn when it is first asked for."""
        path = self.world.path(f"{self.name}-{self.nodes[0].replica_port}.secret")
        if not os.path.exists(path):
            process = self.world.run(f"{self.name}-secret", [self.world.binaries.client, "cluster", "init", "-o", path])
            check(process.status == 0, lambda: f"no secret was drawn: {process.err()}")
        return path

    def _came_up(self):
        wait_until(
            lambda: self.leader() is not None or not all(node.running() for node in self.nodes),
            START_SECONDS,
            "the cluster to elect a leader",
        )
        return all(node.running() for node in self.nodes)

    def reload(self, pattern):
        """Has every node read its files anew, and waits until each has said `pattern` once more."""
        said = [len(re.findall(pattern, node.process.err())) for node in self.nodes]
        for node in self.nodes:
            node.process.signal(signal.SIGHUP)
        wait_until(
            lambda: all(len(re.findall(pattern, node.process.err())) > before for node, before in zip(self.nodes, said)),
            START_SECONDS, f"every node to say {pattern}",
        )  # fmt: skip

    def restart_all(self):
        for node in self.nodes:
            node.start()
        wait_until(lambda: self.leader() is not None, START_SECONDS, "the restarted cluster to elect a leader")

    def alive(self):
        return [node for node in self.nodes if node.running()]

    def leader(self):
        """The node that says it leads and hears a majority, or None."""
        for node in self.alive():
            status = node.status()
            if status and status["role"] == "leader" and status["has_quorum"]:
                return node
        return None

    def wait_for_leader(self):
        return wait_until(self.leader, START_SECONDS, "a leader")

    @property
    def urls(self):
        return [node.url for node in self.nodes]

    def node_flags(self):
        return [part for node in self.nodes for part in ("--node", node.node_flag)]

    def tracker_flags(self):
        return [part for url in self.urls for part in ("--tracker", url)]


class Client:
    """Commands of the `bytetorrent` program against one cluster."""

    def __init__(self, world, cluster):
        self.world = world
        self.cluster = cluster
        self._count = 0

    def _name(self, verb):
        self._count += 1
        return f"{verb}-{self._count}"

    def run(self, *arguments, seconds=60, **options):
        return self.world.run(self._name(str(arguments[0])), [self.world.binaries.client, *arguments], seconds, **options)

    def start(self, *arguments, name=None, **options):
        command = [self.world.binaries.client, *arguments]
        return self.world.start(name or self._name(str(arguments[0])), command, **options)

    def create(self, file, torrent, *flags):
        process = self.run("create", file, *self.cluster.tracker_flags(), "-o", torrent, *flags)
        check(process.status == 0, f"create failed: {process.err()}")
        return torrent

    def register(self, torrent):
        process = self.run("register", torrent)
        check(process.status == 0, f"register failed: {process.err()}")

    def start_offer(self, file, torrent, *flags, name=None):
        return Offerer(self.start("offer", file, torrent, "--listen", "127.0.0.1:0", *flags, name=name))

    def start_offers(self, files, torrent, *flags, stagger=0.0, first=1):
        """One offering client per file, nearly at once: `stagger` seconds lie between two starts."""
        offers = []
        for number, file in enumerate(files, first):
            started = time.monotonic()
            offers.append(self.start_offer(file, torrent, *flags, name=f"offer-{number}"))
            if stagger:
                wait_until(lambda due=started + stagger: time.monotonic() >= due, stagger + 5, "the next start")
        return offers

    @staticmethod
    def parse_status(text):
        """{node id: view} from the lines of `bytetorrent status --json`; trackers that did not answer are left out."""
        views = {}
        for line in text.splitlines():
            view = json.loads(line)
            if view.get("reachable"):
                views[view["status"]["node"]] = view["status"]
        return views

    def download(self, what, path, *flags, seconds=DOWNLOAD_SECONDS):
        return self.run("download", what, "-o", path, *flags, seconds=seconds)


    @staticmethod
    def _wait_for_rest(process):
        """Until it has hashed what it has received: on a busy machine that comes later, and what is unproven is fetched again."""
        used = [process.cpu_seconds(), time.monotonic()]

        def rests():
            if process.running() and process.cpu_seconds() != used[0]:
                used[:] = [process.cpu_seconds(), time.monotonic()]
            return time.monotonic() - used[1] > 0.5

        wait_until(rests, 60, "the download to come to rest")

    def begin_download(self, offer, torrent, result, *flags):
        """A download that has begun and cannot go on, because its only source is stopped."""
        process = self.start("download", torrent, "-o", result, *flags)
        # What it has written, not what the file takes on the disk: that is reserved beforehand.
        wait_until(lambda: process.written_bytes() > 10_000_000 or not process.running(), 60, "the download to begin")
        offer.process.signal(signal.SIGSTOP)
        self._wait_for_rest(process)
        check(process.running(), lambda: f"the download ended before it could be interrupted: {process.err()}")
        return process


def many_names(world, client, count):
    """Torrent files of one content under `count` names, each with hashes of 3.4 MB, which go into the log with the name."""
    file = world.path("sparse")
    with open(file, "wb") as sparse:
        sparse.truncate(65_536 * 16_384)
    name = b"name-00"
    first = client.create(file, world.path("first.torrent"), "--piece-length", "16384", "--name", name.decode())
    with open(first, "rb") as torrent:
        content = torrent.read()
    check(content.count(name) == 2, "the name is not where it is expected: in the v1 name and the v2 file tree")
    paths = []
    for number in range(count):
        paths.append(world.path(f"{number}.torrent"))
        with open(paths[-1], "wb") as torrent:
            torrent.write(content.replace(name, name[:-2] + b"%02d" % number))
    return paths


class Offerer:
    """An offering client. Its offer is acknowledged once it says so on stdout."""

    ACKNOWLEDGED = re.compile(r"^offering\b.*?(\d+\.\d+\.\d+\.\d+:\d+)", re.MULTILINE)

    def __init__(self, process):
        self.process = process

    def address(self):
        """host:port of the claim, or None before it is acknowledged."""
        match = self.ACKNOWLEDGED.search(self.process.out())
        return match.group(1) if match else None

    def acknowledged(self):
        return self.address() is not None


def count_acknowledged(offers):
    return sum(1 for offer in offers if offer.acknowledged())


def wait_for_offers(offers, seconds=OFFER_SECONDS):
    def all_acknowledged():
        for offer in offers:
            check(offer.process.running(), lambda o=offer: f"{o.process.name} ended: {o.process.err()}")
        return count_acknowledged(offers) == len(offers)

    wait_until(
        all_acknowledged, seconds, lambda: f"all offers to be acknowledged ({count_acknowledged(offers)} of {len(offers)} are)"
    )


def wait_for_claims(nodes, key, addresses, seconds=START_SECONDS):
    """Until every one of `nodes`, by its own knowledge, holds a complete claim of every address."""
    wanted = set(addresses)

    def all_hold():
        for node in nodes:
            peers = node.peers(key) or {}
            if not wanted <= {peer for peer, complete in peers.items() if complete}:
                return False
        return True

    def state():
        seen = {node.id: len([1 for complete in (node.peers(key) or {}).values() if complete]) for node in nodes}
        return f"every node to hold {len(wanted)} complete claims (node: claims are {seen})"

    wait_until(all_hold, seconds, state)


def wait_for_agreement(nodes, seconds=START_SECONDS):
    """Until the nodes have applied the same slot and hold the same registry."""

    def agree():
        views = [node.status() for node in nodes]
        return all(views) and len({(view["applied"], view["registry_digest"]) for view in views}) == 1

    wait_until(agree, seconds, lambda: f"nodes to agree: {[node.status() for node in nodes]}")
