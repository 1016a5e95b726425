#!/usr/bin/env -S python3 -B
"""A cluster that asks for tokens: each attack of a stranger on the network, of a client with too small a role, and of a page in a
browser is refused, one by one, and what was registered and claimed before is as it was. Who may, does. Tokens come and go while the
nodes run, are told of by name in the log, and stand nowhere in the clear."""

import http.client
import json
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from checkout import top
from files import make_file, same_bytes
from processes import check, tell, wait_until
from raw import small_torrent
from stranger import Stranger
from swarm import START_SECONDS, Client, Cluster, wait_for_claims, wait_for_offers

DONE, FAILED, WRONG_USAGE = range(3)


def ask(node, method, target, body=None, **headers):
    """Status, headers and what was said."""
    connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=START_SECONDS)
    connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    said = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, answer.headers, said


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Tokens:
    """What `bytetorrent token new` makes, and the file that nodes read."""

    def __init__(self, world):
        self.world = world
        self.path = world.path("tokens")
        self.lines = {}
        self.files = {}

    def new(self, name, roles):
        self.files[name] = self.world.path(f"{name}.token")
        made = self.world.run(f"token-{name}", [self.world.binaries.client, "token", "new", name, roles, "-o", self.files[name]])
        check(made.status == DONE, lambda: f"token new: {made.err()}")
        check(re.fullmatch(rf"{name} {roles} [0-9a-f]{{64}}\n", made.out()), lambda: f"token new prints {made.out()!r}")
        check(stat.S_IMODE(os.stat(self.files[name]).st_mode) == 0o600, "others may read the token")
        self.lines[name] = made.out()

    def secret(self, name):
        with open(self.files[name], encoding="ascii") as file:
            return file.read().strip()

    def write(self, text):
        beside = self.path + ".new"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(beside, self.path)

    def write_all(self, anybody="anybody read -\n"):
        self.write("# of this story\n" + anybody + "".join(self.lines.values()))


def making_tokens(world, tokens):
    for name, roles in (("reader", "read"), ("offerer", "offer"), ("registrar", "register"), ("owner", "admin")):
        tokens.new(name, roles)
    for arguments, status, words in (
        (["reader", "read", "-o", tokens.files["reader"]], FAILED, "left as it was"),
        (["x", "write"], WRONG_USAGE, "'write' is no role"),
        (["a b", "read"], WRONG_USAGE, "is no name"),
        (["anybody", "read"], WRONG_USAGE, "is no name"),
    ):
        refused = world.run("token-refused", [world.binaries.client, "token", "new", *arguments])
        check(refused.status == status and words in refused.err(), lambda p=refused: f"{p.command}: {p.status}: {p.err()}")
    for name in tokens.files:
        for process in world.processes:
            check(tokens.secret(name) not in process.out() + process.err(), "a token was printed")


def bad_files(world, tokens):
    start = [world.binaries.tracker, "--data-dir", world.path("never"), "--node", f"1=127.0.0.1:0/127.0.0.1:{world.free_port()}"]
    init = world.run("init-never", [start[0], "init", *start[1:]])
    check(init.status == DONE, lambda: f"init: {init.err()}")
    absent = world.run("no-file", [*start, "--tokens", world.path("absent")])
    check(absent.status == FAILED and world.path("absent") in absent.err(), lambda: f"an absent file: {absent.status}: {absent.err()}")
    tokens.write("reader read " + tokens.secret("reader") + "\n")  # a token in place of its hash
    wrong = world.run("wrong-file", [*start, "--tokens", tokens.path])
    said = wrong.err()
    check(wrong.status == FAILED and f"{tokens.path}, line 1: " in said, lambda: f"a wrong line: {wrong.status}: {said}")
    check(tokens.secret("reader") not in said, "a token was logged")


def names_are_for_those_who_may(client, tokens, torrent):
    nodes = client.cluster.nodes
    with open(torrent, "rb") as file:
        body = file.read()
    for headers, status, words in (
        ({}, 401, "role register"),
        (bearer("btt_" + "0" * 64), 401, "nobody's here"),
        (bearer(tokens.secret("reader")[:-1]), 401, "nobody's here"),
        ({"Authorization": "Basic " + tokens.secret("registrar")}, 401, "role register"),
        (bearer(tokens.secret("reader")), 403, "the token of reader is for read"),
        (bearer(tokens.secret("offerer")), 403, "this needs the role register"),
    ):
        for node in nodes:
            got, answer, said = ask(node, "PUT", "/torrents", body, **headers)
            check(got == status and words in said, lambda: f"PUT /torrents with {list(headers)}: {got} {said}")
            check(answer["ByteTorrent-Api"] == "1" and "Bearer" in answer["WWW-Authenticate"], lambda: f"not the cluster's form: {answer}")
    check(all(node.torrents() == [] for node in nodes), "a refused registration is listed")
    # A refusal comes before the body is looked at.
    check(ask(nodes[0], "PUT", "/torrents", b"no torrent")[0] == 401, "a stranger's body was read")

    own = client.cluster.tracker_flags()
    for flags, words in (([], "role register"), (["--token-file", tokens.files["reader"]], "the token of reader is for read")):
        refused = client.run("register", torrent, *own, *flags)
        check(refused.status == FAILED and words in refused.err(), lambda p=refused: f"{p.command}: {p.status}: {p.err()}")
    said = client.run("register", torrent, *own, "--token-file", tokens.files["registrar"])
    check(said.status == DONE, lambda: f"register: {said.status}: {said.err()}")
    again = client.run("register", torrent, *own, env={**os.environ, "BYTETORRENT_TOKEN_FILE": tokens.files["owner"]})
    check(again.status == DONE and "it was already" in again.out(), lambda: f"by the environment: {again.status}: {again.err()}")


def claims_are_for_those_who_may(world, client, tokens, data, torrent):
    cluster = client.cluster
    own = cluster.tracker_flags()
    for flags in ([], ["--token-file", tokens.files["registrar"]]):
        refused = client.run("offer", data, torrent, *own, "--listen", "127.0.0.1:0", *flags)
        check(refused.status == FAILED and "role offer" in refused.err(), lambda p=refused: f"{p.command}: {p.status}: {p.err()}")
    offer = client.start_offer(data, torrent, *own, "--token-file", tokens.files["offerer"])
    wait_for_offers([offer])
    claim = offer.address()
    wait_for_claims(cluster.nodes, "data.bin", [claim])
    # Another's only seeder, withdrawn by whoever can reach a node.
    body = json.dumps({"peer": claim, "pieces": []})
    for node in cluster.nodes:
        for headers, status in (({}, 401), (bearer(tokens.secret("reader")), 403), (bearer(tokens.secret("registrar")), 403)):
            check(ask(node, "DELETE", "/torrents/data.bin/offers", body, **headers)[0] == status, "a stranger's withdrawal was not refused")
        check(ask(node, "POST", "/torrents/data.bin/offers", body)[0] == 401, "a stranger's offer was not refused")
    wait_for_claims(cluster.nodes, "data.bin", [claim])
    # Anybody may read here, and so download; what a stranger has got he may not offer.
    for number, flags in enumerate(([], ["--token-file", tokens.files["offerer"]])):
        copy = world.path(f"copy-{number}.bin")
        done = client.download("data.bin", copy, *own, *flags)
        check(done.status == DONE and same_bytes(data, copy), lambda p=done: f"download: {p.status}: {p.err()}")
    return offer


def endpoints():
    """The targets of GET in the table of docs/http_api.md, of a torrent that there is, and one that there is not."""
    with open(os.path.join(top(), "docs", "http_api.md"), encoding="utf-8") as page:
        paths = re.findall(r"^\| `GET (/[^`]*)`", page.read(), re.MULTILINE)
    check(len(paths) > 10, f"docs/http_api.md lists only {paths}")
    query = "?info_hash=" + "a" * 20 + "&port=1"
    return [path.replace("{id}", "data.bin") + (query if path in ("/announce", "/scrape") else "") for path in paths] + ["/nothing", "/console/main.js"]


def pages_do_not_write(client, tokens):
    node = client.cluster.nodes[0]
    here = f"127.0.0.1:{node.client_port}"
    body = json.dumps({"peer": "0.0.0.0:6881", "pieces": []})
    may = bearer(tokens.secret("owner"))
    rebound = f"evil.example:{node.client_port}"
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{client.cluster.nodes[1].client_port}"},
        {"Origin": f"http://{rebound}", "Host": rebound},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        for method, target in (("POST", "/torrents/data.bin/offers"), ("DELETE", "/torrents/data.bin/offers"), ("PUT", "/torrents")):
            got, _, said = ask(node, method, target, body, **may, **headers)
            check(got == 403 and "another site" in said, lambda h=headers: f"{method} with {h}: {got} {said}")
        check(ask(node, "GET", "/announce?info_hash=" + "a" * 20 + "&port=1", **headers)[0] == 403, "a page has announced")
    got, _, said = ask(node, "PUT", "/torrents", small_torrent(b"of-our-page", 7), Origin=f"http://{here}", **may)
    check(got == 201, lambda: f"the node's own page was refused: {got} {said}")
    other = client.cluster.nodes[1].url
    for target in endpoints():
        for origin in ("http://evil.example", "null", other):
            answer = ask(node, "GET", target, Origin=origin, **may)[1]
            granted = [name for name in answer.keys() if name.lower().startswith("access-control-")]
            check(not granted, lambda t=target, o=origin, g=granted: f"a page of {o} may read {t}: {g}")
    check(ask(node, "OPTIONS", "/torrents", Origin="http://evil.example")[0] == 405, "a preflight was granted")


def tokens_are_not_for_strangers(world, client, tokens, data):
    """A torrent names the tracker of who made it: that one is asked, and shown no token; another may still answer."""
    stranger = Stranger(401, b'{"error": "a token"}', ByteTorrent_Api="1")
    foreign = world.path("foreign.torrent")
    made = client.run("create", data, "--tracker", stranger.url, "--name", "foreign", "-o", foreign)
    check(made.status == DONE, lambda: f"create: {made.err()}")
    with_token = ["--token-file", tokens.files["registrar"]]
    nobody = f"http://127.0.0.1:{world.free_port()}"
    process = client.start("register", foreign, "--tracker", nobody, *with_token)
    wait_until(lambda: stranger.asked, 60, "the stranger to be asked")
    check(process.stop() == 130, lambda: f"register did not go on asking: {process.err()}")
    check(all("Authorization" not in headers for headers in stranger.asked), "a tracker that the torrent names was shown the token")
    # One that the user names himself is shown it.
    told = client.run("register", foreign, "--tracker", stranger.url, *with_token)
    check(told.status == FAILED and "a token" in told.err(), lambda: f"{told.status}: {told.err()}")
    check(stranger.asked[-1]["Authorization"] == "Bearer " + tokens.secret("registrar"), "the user's own tracker was not shown the token")


def tokens_come_and_go(client, tokens):
    nodes = client.cluster.nodes
    registrar = bearer(tokens.secret("registrar"))

    def registers(number):
        return ask(nodes[number % 3], "PUT", "/torrents", small_torrent(b"name-%d" % number, number), **registrar)[0]

    check(registers(1) == 201, "the registrar may not register")
    # What cannot be read changes nothing.
    tokens.write("".join(tokens.lines.values()) + "nonsense\n")
    client.cluster.reload(rf"error {re.escape(tokens.path)}, line 5: .*before stays in force")
    check(registers(2) == 201, "a file that cannot be read took the tokens away")
    check(ask(nodes[0], "PUT", "/torrents", b"")[0] == 401, "a file that cannot be read opened the node to anybody")
    # A token that is taken away, and reading without one.
    del tokens.lines["registrar"]
    tokens.write_all(anybody="")
    client.cluster.reload(r"3 tokens of \S+ are in force")
    check(registers(3) == 401, "a token that was taken away is still good")
    for target in ("/torrents", "/status", "/metrics", "/torrents/data.bin", "/torrents/data.bin/peers"):
        check(ask(nodes[0], "GET", target)[0] == 401, f"{target} is told to anybody")
        check(ask(nodes[0], "GET", target, **bearer(tokens.secret("reader")))[0] == 200, f"{target} is not told to the reader")
    for target in ("/", "/healthz", "/readyz"):
        check(ask(nodes[0], "GET", target)[0] == 200, f"{target} wants a token")
    told = client.run("status", "--tracker", nodes[0].url)
    check(told.status == FAILED and "role read" in told.err(), lambda: f"status without a token: {told.status}: {told.err()}")
    told = client.run("status", "--tracker", nodes[0].url, "--token-file", tokens.files["reader"])
    check(told.status == DONE and "3 of 3 nodes answer" in told.out(), lambda: f"status: {told.status}: {told.out()}{told.err()}")
    os.chmod(tokens.path, 0o644)
    client.cluster.reload(r"warning others on this machine can read or change")


def what_is_told(world, client, tokens, secrets):
    log = "".join(node.process.err() for node in client.cluster.nodes)
    for pattern in (
        r"info audit: token registrar at 127\.0\.0\.1:\d+: 201 Created: register \S+ as data\.bin$",
        r"info audit: token owner at 127\.0\.0\.1:\d+: 200 OK: register \S+ as data\.bin$",
        r"info audit: token offerer at 127\.0\.0\.1:\d+: 200 OK: offer as 127\.0\.0\.1:\d+ \d+ pieces of \S+$",
        r"info audit: token offerer at 127\.0\.0\.1:\d+: 200 OK: withdraw as 127\.0\.0\.1:\d+ the claim of \S+$",
        r"info audit: anybody at 127\.0\.0\.1:\d+: 401 Unauthorized: register",
        r"info audit: token reader at 127\.0\.0\.1:\d+: 403 Forbidden: withdraw",
        r"info audit: administrator: 200 OK: /snapshot$",
    ):
        check(re.search(pattern, log, re.MULTILINE), f"no line of the log says {pattern}")
    for process in world.processes:
        said = process.out() + process.err() + " ".join(process.command)
        check(not any(secret in said for secret in secrets), f"a token stands in what {process.name} says, or was started with")
    for node in client.cluster.nodes:
        for folder, _, names in os.walk(node.data):
            for name in names:
                if not stat.S_ISREG(os.stat(os.path.join(folder, name)).st_mode):
                    continue
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                check(not any(secret.encode() in content for secret in secrets), f"a token stands in {name}")


def without_tokens(world):
    """As before; and who listens where others reach it is told what that means."""
    for host, warned in (("127.0.0.1", False), ("0.0.0.0", True)):
        port = world.free_port()
        flags = ["--data-dir", world.path(f"open-{port}"), "--node", f"1=127.0.0.1:0/{host}:{port}"]
        check(world.run("open-init", [world.binaries.tracker, "init", *flags]).status == DONE, "init failed")
        process = world.start("open", [world.binaries.tracker, *flags])
        process.wait_for_line(r"^bytetorrent-tracker node 1 listening", START_SECONDS)
        check(("may register names for ever" in process.err()) == warned, lambda p=process: f"on {p.command}: {p.err()}")
        check(process.stop() == 0, "a node was not stopped in order")


def story(world):
    tokens = Tokens(world)
    making_tokens(world, tokens)
    secrets = [tokens.secret(name) for name in tokens.files]
    bad_files(world, tokens)
    tokens.write_all()
    client = Client(world, Cluster(world, 3, serving_flags=["--tokens", tokens.path]).start())
    data = make_file(world.path("data.bin"), 300_000)
    torrent = client.create(data, world.path("data.torrent"))
    names_are_for_those_who_may(client, tokens, torrent)
    offer = claims_are_for_those_who_may(world, client, tokens, data, torrent)
    pages_do_not_write(client, tokens)
    tokens_are_not_for_strangers(world, client, tokens, data)
    check(offer.process.stop() == DONE, lambda: f"the offer was not withdrawn in order: {offer.process.err()}")
    snapshot = client.run("cluster", "snapshot", "--data-dir", client.cluster.nodes[0].data)
    check(snapshot.status == DONE, lambda: f"cluster snapshot: {snapshot.err()}")
    tokens_come_and_go(client, tokens)
    what_is_told(world, client, tokens, secrets)
    without_tokens(world)


if __name__ == "__main__":
    tell(story, 240)
