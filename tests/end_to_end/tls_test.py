#!/usr/bin/env -S python3 -B
"""A cluster that speaks TLS to its clients: whoever trusts its authority registers, offers and downloads as always, with tokens that
nobody on the way reads. Who does not speak TLS is told so in one line, in either direction; who does not trust the certificate, or finds
it made out to another host, says nothing. A new certificate is taken up while the nodes run, and a broken one is not."""

import http.client
import os
import re
import shutil
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from authority import Authority
from files import make_file, same_bytes
from processes import check, tell
from swarm import START_SECONDS, Client, Cluster, wait_for_offers

DONE, FAILED, WRONG_USAGE = range(3)
NO_TRACKER = 6


def refused_files(world, certificate, key, other_key):
    own = ["--data-dir", world.path("never"), "--node", f"1=127.0.0.1:0/127.0.0.1:{world.free_port()}"]
    check(world.run("init-never", [world.binaries.tracker, "init", *own]).status == DONE, "init failed")
    for flags, status, words in (
        (["--tls-certificate", certificate], WRONG_USAGE, "give both"),
        (["--tls-key", key], WRONG_USAGE, "give both"),
        (["--tls-certificate", world.path("absent"), "--tls-key", key], FAILED, world.path("absent")),
        (["--tls-certificate", certificate, "--tls-key", other_key], FAILED, other_key),
        (["--tls-certificate", key, "--tls-key", key], FAILED, "the certificate " + key),
    ):
        process = world.run("refused-files", [world.binaries.tracker, *own, *flags])
        check(process.status == status and words in process.err(), lambda p=process: f"{p.command}: {p.status}: {p.err()}")
        check(process.err().count("\n") == 1, lambda p=process: f"not one line: {p.err()}")


def as_always(world, client, data, trust):
    cluster = client.cluster
    torrent = client.create(data, world.path("data.torrent"))
    own = [*cluster.tracker_flags(), *trust]
    done = client.run("register", torrent, *own)
    check(done.status == DONE, lambda: f"register: {done.status}: {done.err()}")
    offer = client.start_offer(data, torrent, *own)
    wait_for_offers([offer])
    copy = world.path("copy.bin")
    done = client.download("data.bin", copy, *own)
    check(done.status == DONE and same_bytes(data, copy), lambda: f"download: {done.status}: {done.err()}")
    # By name, the others found through it.
    by_name = f"https://localhost:{cluster.nodes[0].client_port}"
    told = client.run("status", "--tracker", by_name, *trust)
    check(told.status == DONE and "3 of 3 nodes answer" in told.out(), lambda: f"status: {told.status}: {told.out()}{told.err()}")
    check(told.out().count("https://127.0.0.1:") == 2, lambda: f"the others were not asked over TLS: {told.out()}")
    with_tls = http.client.HTTPSConnection("127.0.0.1", cluster.nodes[0].client_port, timeout=START_SECONDS, context=cluster.tls)
    with_tls.request("GET", "/torrents/data.bin")
    rendered = with_tls.getresponse().read()
    with_tls.close()
    check(cluster.nodes[1].url.encode() in rendered, "a torrent does not name the trackers by https")
    return offer, torrent


def plain_words(world, client, torrent, trust):
    node = client.cluster.nodes[0]
    plain = f"http://127.0.0.1:{node.client_port}"
    connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=START_SECONDS)
    connection.request("GET", "/status")
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    check(answer.status == 400 and "write https://" in said and answer.headers["ByteTorrent-Api"] == "1", lambda: f"{answer.status} {said}")
    refused = client.run("register", torrent, "--tracker", plain)
    check(refused.status == FAILED and "write https://" in refused.err(), lambda: f"{refused.status}: {refused.err()}")
    # And the other way round: a node without TLS is spoken to with it.
    port = world.free_port()
    flags = ["--data-dir", world.path("plain"), "--node", f"1=127.0.0.1:0/127.0.0.1:{port}"]
    check(world.run("init-plain", [world.binaries.tracker, "init", *flags]).status == DONE, "init failed")
    process = world.start("plain", [world.binaries.tracker, *flags])
    process.wait_for_line(r"listening: clients http://", START_SECONDS)
    told = client.run("status", "--tracker", f"https://127.0.0.1:{port}", *trust)
    check(told.status == NO_TRACKER and "write http://" in told.out(), lambda: f"{told.status}: {told.out()}{told.err()}")


def nothing_to_strangers(client, stranger, trust):
    """A client that trusts another authority, or the system's alone, ends without a request."""
    node = client.cluster.nodes[0]
    token = trust[2:]
    for flags, words in ((["--tracker", node.url, "--ca", stranger.path], "not to be trusted"), (["--tracker", node.url], "not to be trusted")):
        told = client.run("status", *flags, *token)
        check(told.status == NO_TRACKER and words in told.out(), lambda t=told: f"{t.command}: {t.status}: {t.out()}{t.err()}")
    absent = client.run("status", "--tracker", node.url, "--ca", stranger.path + ".absent")
    check(absent.status == FAILED and stranger.path + ".absent" in absent.err(), lambda: f"{absent.status}: {absent.err()}")
    for garbage in (b"\x16\x03\x01\xff\xff" + b"\xff" * 400, b"\x00" * 100, b"\x80\x2e\x01\x00\x02"):
        with socket.create_connection(("127.0.0.1", node.client_port), START_SECONDS) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass


def another_certificate(client, authority, certificate, key):
    nodes = client.cluster.nodes

    def shown(node):
        with socket.create_connection(("127.0.0.1", node.client_port), START_SECONDS) as connection:
            with client.cluster.tls.wrap_socket(connection, server_hostname="127.0.0.1") as tls:
                return tls.getpeercert()["serialNumber"]

    first = shown(nodes[0])
    keep = http.client.HTTPSConnection("127.0.0.1", nodes[0].client_port, timeout=START_SECONDS, context=client.cluster.tls)
    keep.request("GET", "/healthz")
    check(keep.getresponse().read() == b"ok\n", "no answer over TLS")
    with open(certificate, "w", encoding="ascii") as file:
        file.write("nonsense\n")
    client.cluster.reload(rf"error cannot use the certificate {re.escape(certificate)}.*before stays in force")
    check(shown(nodes[0]) == first, "a broken file was taken up")
    authority.vouch(certificate, key, "IP:127.0.0.1,DNS:localhost")
    client.cluster.reload(r"new connections see the certificate anew")
    for node in nodes:
        check(shown(node) != first, "the new certificate is not shown")
    keep.request("GET", "/healthz")
    check(keep.getresponse().read() == b"ok\n", "an open connection did not live through it")
    keep.close()


def story(world):
    if shutil.which("openssl") is None:
        check(False, "the program openssl is missing: tools/setup")
    authority, stranger = Authority(world, "authority"), Authority(world, "stranger")
    certificate, key = world.path("certificate.pem"), world.path("key.pem")
    authority.vouch(certificate, key, "IP:127.0.0.1,DNS:localhost")
    refused_files(world, certificate, key, stranger.key)

    made = world.run("token", [world.binaries.client, "token", "new", "all", "admin", "-o", world.path("all.token")])
    with open(world.path("tokens"), "w", encoding="ascii") as file:
        file.write("anybody read -\n" + made.out())
    context = ssl.create_default_context(cafile=authority.path)
    flags = ["--tokens", world.path("tokens"), "--tls-certificate", certificate, "--tls-key", key]
    client = Client(world, Cluster(world, 3, serving_flags=flags, tls=context).start())
    trust = ["--ca", authority.path, "--token-file", world.path("all.token")]
    data = make_file(world.path("data.bin"), 3_000_000)
    offer, torrent = as_always(world, client, data, trust)
    plain_words(world, client, torrent, trust)
    nothing_to_strangers(client, stranger, trust)
    another_certificate(client, authority, certificate, key)
    check(offer.process.stop() == DONE, lambda: f"the offer was not withdrawn in order: {offer.process.err()}")


if __name__ == "__main__":
    tell(story, 240)
