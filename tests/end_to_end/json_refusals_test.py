#!/usr/bin/env -S python3 -B
"""Every command that has --json says with it why it was refused: one object on stdout, its word and exit status those of README.md's table,
and nothing on stderr. A command that gets --json gets a case here, or this fails."""

import json
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell
from swarm import Client, Cluster, wait_for_offers

STATUS_OF = {
    "wrong_usage": 2,
    "not_found": 3,
    "nobody_has_it": 4,
    "name_taken": 5,
    "no_tracker": 6,
    "interrupted": 130,
    "terminated": 143,
}  # every other word: 1


def commands_with_json(world, *words):
    """"cluster add" and so on, as --help tells of them."""
    text = world.run("help", [world.binaries.client, *words, "--help"]).out()
    if re.search(r"^  --json ", text, re.MULTILINE):
        yield " ".join(words)
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text + "\n", re.MULTILINE)
    for word in re.findall(r"^  ([a-z]\w*)", listed.group(1), re.MULTILINE) if listed else []:
        yield from commands_with_json(world, *words, word)


def expect(process, command, word, *mention):
    said = [json.loads(line) for line in process.out().splitlines()]
    last = said[-1] if said else {}
    what = f"{process.command}: {process.status} {process.out()!r} {process.err()!r}"
    check(list(last) == ["event", "command", "error", "exit_status", "reason"], what)
    check(sum("error" in each for each in said) == 1, what)
    check((last["event"], last["command"], last["error"]) == ("failed", command, word), what)
    check(last["exit_status"] == process.status == STATUS_OF.get(word, 1), what)
    check(all(part in last["reason"] for part in mention), what)
    check(process.err() == "", what)


def without_a_tracker(world, nobody):
    """(words, word of the refusal, ...) of commands that need nothing that runs."""
    absent, nowhere = world.path("absent.torrent"), ["--data-dir", world.path("absent-node")]
    garbage = make_file(world.path("garbage.torrent"), 1000)
    socket = ["--control", world.path("absent.sock")]
    cluster = ["status", "add 4=a:1/a:2", "remove 4", "replace 3 4=a:1/a:2", "transfer", "snapshot", "level", "limits"]
    return [
        *((["cluster", *each.split(), *nowhere], "no_tracker") for each in cluster),
        *(([each, "3", *socket], "unavailable") for each in ("watch", "pause", "resume", "remove")),
        (["list", *socket], "unavailable", "absent.sock"),
        (["limit", "3", "--upload-limit", "1M", *socket], "unavailable"),
        (["limit"], "wrong_usage", "--upload-limit"),
        (["cluster", "backup", "-o", world.path("backup"), *nowhere], "no_tracker"),
        (["cluster", "recover", "-o", world.path("backup"), *nowhere], "file_missing"),
        (["cluster", "add", "nonsense", *nowhere], "wrong_usage", "nonsense"),
        (["inspect", absent], "file_missing", "absent.torrent"),
        (["inspect", world.path()], "refused", "is a directory"),
        (["inspect", "magnet:?nothing"], "wrong_usage"),
        (["register", absent], "file_missing", "absent.torrent"),
        (["register", garbage], "refused", "as a torrent"),
        (["offer", garbage, absent], "file_missing"),
        (["download", absent], "file_missing"),
        (["download", "data.bin", "--tracker", "nonsense"], "wrong_usage", "nonsense"),
        (["download", "data.bin", "--timeout", "soon"], "wrong_usage", "--timeout"),
        (["download", "data.bin", "--output", ""], "wrong_usage"),
        (["status", "--tracker", "nonsense"], "wrong_usage"),
        (["status", "--tracker", nobody], "no_tracker"),
        (["stauts"], "wrong_usage", "did you mean 'status'"),
    ]


def with_a_tracker(world, client):
    data = make_file(world.path("data.bin"), 300_000)
    torrent = client.create(data, world.path("data.torrent"))
    client.register(torrent)
    other = client.create(make_file(world.path("other.bin"), 1000), world.path("other.torrent"), "--name", "data.bin")
    here = client.cluster.tracker_flags()
    expect(client.run("register", other, "--json"), "register", "name_taken", "--name")
    expect(client.run("offer", world.path("other.bin"), other, "--json"), "offer", "not_found", "register it first")
    expect(client.run("download", "nobody.bin", "-o", world.path("no"), *here, "--json"), "download", "not_found")
    target = ["-o", world.path("lonely.bin"), "--listen", "127.0.0.1:0", "--json"]
    expect(client.run("download", torrent, *target, "--timeout", 1), "download", "nobody_has_it")
    expect(client.run("download", torrent, *target[:-3], "--listen", "nonsense", "--json"), "download", "wrong_usage", "--listen")
    for number, word in ((signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")):
        waits = client.start("download", torrent, *target)
        waits.wait_for_line(r'"listening"', 60)
        waits.signal(number)
        waits.wait(30)
        expect(waits, "download", word)
    offer = client.start_offer(data, torrent)
    wait_for_offers([offer])
    expect(client.run("download", torrent, "-o", world.path("other.bin"), "--json"), "download", "failed", "other.bin")
    check(offer.process.stop() == 0, "the offer must end well")


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o600)


def who_may_not(world):
    """A cluster that wants tokens, and is shown none."""
    tokens = world.path("tokens")
    made = world.run("token", [world.binaries.client, "token", "new", "alice", "register", "-o", world.path("alice.token")])
    write(tokens, "anybody read -\n" + made.out())
    client = Client(world, Cluster(world, 1, name="guarded", serving_flags=["--tokens", tokens]).start())
    write(tokens, made.out())
    client.cluster.reload(r"1 tokens of \S+ are in force")
    torrent = client.create(make_file(world.path("guarded.bin"), 1000), world.path("guarded.torrent"))
    here = client.cluster.tracker_flags()
    for words in (["register", torrent, *here], ["status", *here], ["download", "guarded.bin", *here]):
        expect(client.run(*words, "--json"), words[0], "no_permission", "token")


def story(world):
    nobody = f"http://127.0.0.1:{world.free_port()}"
    lonely = world.path("nowhere.torrent")
    client = Client(world, Cluster(world, 1).start())
    check(client.run("create", make_file(world.path("lonely"), 1000), "--tracker", nobody, "-o", lonely).status == 0, "create")
    # This tries for half a minute; meanwhile the others.
    patient = client.start("register", lonely, "--json")
    cases = without_a_tracker(world, nobody)
    known = sorted(commands_with_json(world))
    missing = [each for each in known if not any(" ".join(words).startswith(each) for words, *_ in cases)]
    check(len(known) > 15 and not missing, f"no case for {missing} of {known}")
    for words, word, *mention in cases:
        command = next((each for each in known if " ".join(words).startswith(each)), "")
        expect(client.run(*words, "--json"), "" if "" in words else command, word, *mention)
    with_a_tracker(world, client)
    who_may_not(world)
    patient.wait(60)
    expect(patient, "register", "no_tracker", nobody)


if __name__ == "__main__":
    tell(story, 240)
