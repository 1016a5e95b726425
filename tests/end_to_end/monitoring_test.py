#!/usr/bin/env -S python3 -B
"""docs/deploy's rules and dashboard beside the metrics of a real cluster: each names what nodes export, and where Prometheus is installed it
takes rules and configuration, their own tests pass, no alert fires for a cluster that is well, and each panel shows something."""

import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from checkout import top, wanted
from files import make_file
from monitoring import Exported, dashboard_expressions, rules
from processes import check, tell, wait_until
from swarm import Client, Cluster, get_json, wait_for_agreement, wait_for_offers

FOLDER = os.path.join("docs", "deploy", "prometheus")


def read(*path):
    with open(os.path.join(top(), *path), encoding="utf-8") as file:
        return file.read()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def some_traffic(world, cluster):
    """A torrent, an offer, a lookup of nothing, and the alarm that a table is full: of each metric there is a sample."""
    client = Client(world, cluster)
    file = make_file(world.path("some.bin"), 50_000)
    torrent = client.create(file, world.path("some.torrent"))
    client.register(torrent)
    wait_for_offers([client.start_offer(file, torrent)])
    for node in cluster.nodes:
        check(get_json(node.url + "/torrents/nothing") is None, "a torrent that nobody has registered")
    limited = client.run("cluster", "limits", "--set", "torrents=1", "--data-dir", cluster.nodes[0].data)
    check(limited.status == 0, lambda: f"no limit was set: {limited.err()}")
    wait_for_agreement(cluster.nodes)


def all_expressions():
    """[(where, expression)], those of the rules and those of the dashboard."""
    found = [(name, expression) for file in ("recording.yml", "alerts.yml") for _, name, expression in rules(read(FOLDER, file))]
    return found + dashboard_expressions(read("docs", "deploy", "grafana", "bytetorrent.json"))


def names_are_exported(cluster):
    exported = Exported([get(node.url + "/metrics") for node in cluster.nodes])
    expressions = all_expressions()
    check(len(expressions) > 50, "rules or dashboard are not read as they are written")
    recorded = {name for kind, name, _ in rules(read(FOLDER, "recording.yml")) if kind == "record"}
    problems = []
    for where, expression in expressions:
        problems += [f"{where}: {problem}" for problem in exported.problems(expression)]
        asked = re.findall(r"\b\w+:bytetorrent_\w+:\w+", expression)
        problems += [f"{where}: nothing records {name}" for name in asked if name not in recorded]
    check(not problems, lambda: "\n".join(problems))
    # The comparison sees what is wrong.
    for wrong in ("bytetorrent_nonsense", "bytetorrent_claims{role=\"leader\"}", 'bytetorrent_role{role="lead"}', "sum by (colour) (bytetorrent_claims)"):
        check(exported.problems(wrong), f"{wrong} passes")


def the_dashboard_is_whole():
    """Its panels have numbers and places of their own."""
    panels = json.loads(read("docs", "deploy", "grafana", "bytetorrent.json"))["panels"]
    check(len({panel["id"] for panel in panels}) == len(panels), "two panels have one id")
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        check(place["x"] + place["w"] <= 24, f"{panel['title']} is beyond the 24 columns")
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            other = taken.setdefault(cell, panel["title"])
            check(other == panel["title"], f"{panel['title']} lies on {other}")


def alerts_say_where_to_read():
    headings = re.findall(r"^##+ (.*)$", read("docs", "operating.md"), re.MULTILINE)
    text = read(FOLDER, "alerts.yml")
    alerts = [name for kind, name, _ in rules(text) if kind == "alert"]
    told = re.findall(r'^ +see: "docs/operating.md, (.*)"$', text, re.MULTILINE)
    check(len(told) == len(alerts), "each alert names one heading of docs/operating.md")
    check(set(told) <= set(headings), lambda: f"docs/operating.md has no {set(told) - set(headings)}")
    tested = read(FOLDER, "alerts_test.yml")
    untested = [name for name in alerts if f'alertname="{name}"' not in tested]
    check(not untested, f"alerts that no test makes fire: {untested}")


def promtool_agrees(world):
    promtool = wanted("promtool")
    if promtool is None:
        return
    folder = os.path.join(top(), FOLDER)
    for name, arguments in {"config": ["check", "config", "prometheus.yml"], "rules": ["test", "rules", "alerts_test.yml"]}.items():
        process = world.run(f"promtool-{name}", [promtool, *arguments], seconds=150, cwd=folder)
        check(process.status == 0, lambda p=process: p.out() + p.err())


class Prometheus:
    """The server on the sample configuration, but for where the nodes are and how often it asks them."""

    def __init__(self, world, program, cluster):
        folder = world.path("prometheus")
        shutil.copytree(os.path.join(top(), FOLDER), folder)
        text = read(FOLDER, "prometheus.yml").replace("15s", "1s")
        for node in cluster.nodes:
            check(f"tracker-{node.id}:6969" in text, "the sample names the nodes of a cluster of three")
            text = text.replace(f"tracker-{node.id}:6969", node.url.removeprefix("http://"))
        os.remove(os.path.join(folder, "prometheus.yml"))
        with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as file:
            file.write(text)
        self.url = f"http://127.0.0.1:{world.free_port()}"
        listen = self.url.removeprefix("http://")
        self.process = world.start(
            "prometheus",
            [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={listen}"],
        )

    def series(self, expression):
        """How many series an expression has now; the server's sentence when it does not take it."""
        try:
            answer = json.loads(get(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
            return len(answer["data"]["result"])
        except urllib.error.HTTPError as refused:
            return refused.read().decode()
        except OSError:
            return 0

    def rules(self):
        answer = get_json(f"{self.url}/api/v1/rules")
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]] if answer else []


def prometheus_shows_it(world, cluster):
    program = wanted("prometheus")
    if program is None:
        return
    server = Prometheus(world, program, cluster)
    shown = dashboard_expressions(read("docs", "deploy", "grafana", "bytetorrent.json"))
    missing = list(shown)

    def all_shown():
        missing[:] = [(title, expression) for title, expression in missing if server.series(expression) == 0]
        return not missing

    wait_until(all_shown, 60, lambda: f"series of {missing}")
    for title, expression in shown:
        check(isinstance(server.series(expression), int), lambda t=title, e=expression: f"{t}: {server.series(e)}")
    wait_until(lambda: {rule["health"] for rule in server.rules()} == {"ok"}, 30, lambda: f"rules to be evaluated: {server.rules()}")
    states = {rule["name"]: rule["state"] for rule in server.rules() if rule["type"] == "alerting"}
    check(states["BytetorrentAlarm"] != "inactive", "the cluster's alarm is no alert")
    check("firing" not in states.values(), f"a cluster that is well has alerts: {states}")


def story(world):
    the_dashboard_is_whole()
    alerts_say_where_to_read()
    promtool_agrees(world)
    cluster = Cluster(world).start()
    some_traffic(world, cluster)
    names_are_exported(cluster)
    prometheus_shows_it(world, cluster)


if __name__ == "__main__":
    tell(story, 280)
