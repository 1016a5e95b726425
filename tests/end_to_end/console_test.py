#!/usr/bin/env -S python3 -B
"""A person at the console in a browser: signs in, looks at the cluster, at torrents with names of 255 bytes and with markup, at who has
which pieces, by keyboard too, on a narrow screen, and while nodes come and go. Nothing is asked of anybody but the node that served it.

With --pictures FOLDER pictures of the pages are left there, in both themes and on a phone, to be looked at.
"""

import concurrent.futures
import json
import os
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from browser import Browser, browser_is_installed
from files import make_file
from processes import check, tell, wait_until
from raw import small_torrent
from swarm import Client, Cluster

MARKUP = "<script>alert(1)<img src=x onerror=alert(2)>&amp;\"'#%41?.iso"
LONGEST = "ü" * 127 + "z"  # 255 bytes without a place to break
PARTIAL = "partial video.mkv"
PIECES = 55  # of PARTIAL
CLAIMS = {6881: [[0, 5], [9, 3]], 6882: [[2, 4], [12, 4]], 6884: [[piece, 1] for piece in range(0, PIECES, 2)]}  # the last one told as a bitfield
SMALL = 1005  # more than one answer lists
MANY = 60  # peers: more than one page of them shows
WIDTHS = (320, 390, 1280)


class Scene:
    """A cluster that wants tokens, with torrents and claims, and the node whose console is opened."""

    def __init__(self, world):
        self.world = world
        self.tokens = {}
        lines = "".join(self._new_token(name, roles) for name, roles in (("reader", "read"), ("owner", "admin")))
        with open(os.open(world.path("tokens"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(lines)
        self.cluster = Cluster(world, 3, serving_flags=["--tokens", world.path("tokens")])
        self.cluster.leader = self._leader
        self.cluster.start()
        self.client = Client(world, self.cluster)
        self.node = self._leader()
        self.torrents = {}
        for number, name in enumerate((MARKUP, LONGEST, PARTIAL)):
            data = make_file(world.path(f"data-{number}"), 300_000 * (number + 1) + 1, seed=number)
            path = self.client.create(data, world.path(f"{number}.torrent"), "--name", name, "--piece-length", "16384")
            with open(path, "rb") as file:
                self.register(file.read())
        # Together, so that many are made durable at a time.
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda number: self.register(small_torrent(b"small-%04d" % number, number)), range(SMALL)))
            list(pool.map(lambda port: self.offer(MARKUP, port, [[1, 2]]), range(7000, 7000 + MANY)))
        for port, pieces in CLAIMS.items():
            self.offer(PARTIAL, port, pieces)
        self.offer(MARKUP, 6883, [[0, 19]])

    def _new_token(self, name, roles):
        path = self.world.path(f"{name}.token")
        made = self.world.run(f"token-{name}", [self.world.binaries.client, "token", "new", name, roles, "-o", path])
        with open(path, encoding="ascii") as file:
            self.tokens[name] = file.read().strip()
        return made.out()

    def _leader(self):
        """Cluster.leader's, of nodes that want a token."""
        for node in self.cluster.alive():
            status = json.loads(self.ask(node, "GET", "/status") or b"{}")
            if status.get("role") == "leader" and status["has_quorum"]:
                return node
        return None

    def ask(self, node, method, path, body=None):
        """The body of the answer; b"": there is none."""
        request = urllib.request.Request(node.url + path, body, {"Authorization": "Bearer " + self.tokens["owner"]}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read()
        except OSError:
            return b""

    def register(self, torrent):
        check(self.ask(self.node, "PUT", "/torrents", torrent), "a torrent was not registered")

    def offer(self, name, port, pieces):
        body = json.dumps({"peer": f"0.0.0.0:{port}", "pieces": pieces}).encode()
        check(self.ask(self.node, "POST", f"/torrents/{urllib.parse.quote(name, safe='')}/offers", body), f"{name} was not offered")

    def agree_on(self, limit):
        done = self.client.run("cluster", "limits", "--set", limit, "--data-dir", self.node.data)
        check(done.status == 0, lambda: f"cluster limits: {done.err()}")


def address(page, *names):
    return "/#/" + "/".join([page, *(urllib.parse.quote(name, safe="") for name in names)])


def signs_in(scene, browser):
    browser.open(scene.node.url + "/")
    browser.wait_for("#login-why", "tells nothing without a token")
    check(browser.texts("#page") == [], "a page is shown to whoever has no token")
    check(browser.run("return document.activeElement.id") == "token", "the form does not have the focus")
    browser.type("#token", "btt_" + "0" * 64)
    browser.press("Enter")
    browser.wait_for("#login-why", "nobody's here")
    browser.type("#token", scene.tokens["reader"])
    browser.press("Enter")
    browser.wait_for("#summary", f"node {scene.node.id} leads")
    check(browser.texts("#login") == [], "the form is still there")
    kept = browser.run("return [location.href, document.cookie, JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage})]")
    check([scene.tokens["reader"] in place for place in kept] == [False, False, False, True], "the token is kept elsewhere than in the tab")
    # The browser itself tells of each refusal; of nothing else has it told so far.
    browser.collect()
    told = [line for line in browser.console if "status of 401" not in line]
    check(told == [], lambda: f"the browser says {told}")
    browser.console.clear()


def rows(browser):
    return browser.run("return [...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))")


def looks_at_the_cluster(scene, browser):
    browser.wait_for("td:nth-child(3)", "up")
    told = rows(browser)
    check([row[0] for row in told] == [f"{node.id} (this node)" if node is scene.node else str(node.id) for node in scene.cluster.nodes], f"members: {told}")
    check(sorted(row[1] for row in told) == ["follower", "follower", "leader"], f"roles: {told}")
    wait_until(lambda: all(row[4] == "0" for row in rows(browser)), 30, "the leader to know how far all are")
    links = browser.run("return [...document.querySelectorAll('td a')].map(link => link.href)")
    check(links == [node.url + "/#/cluster" for node in scene.cluster.nodes if node is not scene.node], f"the others' consoles: {links}")
    follower = next(node for node in scene.cluster.nodes if node is not scene.node)
    scene.agree_on(f"torrents={SMALL + 3}")
    follower.kill()
    browser.wait_for("td:nth-child(3)", "down")
    browser.wait_for("#summary", "this node reaches 2 of 3 members")
    # An alarm is told aloud when it comes, and goes by itself.
    check(browser.run("return document.querySelector('#alarms').ariaLive") == "polite", "alarms are not told aloud")
    browser.wait_for("#alarms", f"all {SMALL + 3}")
    follower.start()
    scene.agree_on(f"torrents={2 * SMALL}")
    browser.wait_for("#summary", "this node reaches 3 of 3 members")
    wait_until(lambda: browser.texts("#alarms p") == [], 30, "the alarm to be over")
    check(browser.text("figure output") != "", "no history is drawn")


def names_shown(browser):
    return browser.texts("tbody td:first-child")


def sorts(browser, column, key, direction):
    browser.click(f"[data-sort={key}]")
    wait_until(lambda: browser.run("return document.querySelectorAll('th')[arguments[0]].ariaSort", column) == direction, 30, f"{key} {direction}")
    wait_until(lambda: "looking" not in browser.text("#listed"), 30, "the walk to end")


def looks_for_torrents(scene, browser):
    browser.open(scene.node.url + address("torrents"))
    browser.wait_for("#listed", "more follow")
    every = sorted([MARKUP, LONGEST, PARTIAL] + ["small-%04d" % number for number in range(SMALL)], key=lambda name: name.encode())
    check(names_shown(browser) == every[:50], lambda: f"the first page has {names_shown(browser)}")
    browser.click("nav.row button:last-child")
    browser.wait_for("#listed", "page 2")
    check(names_shown(browser) == every[50:100], lambda: f"the second page has {names_shown(browser)}")
    sorts(browser, 2, "complete", "descending")
    check(names_shown(browser)[0] == MARKUP, lambda: f"with most seeders: {names_shown(browser)[:3]}")
    sorts(browser, 1, "length", "descending")
    check(names_shown(browser)[:3] == [PARTIAL, LONGEST, MARKUP], lambda: f"the largest: {names_shown(browser)[:3]}")
    sorts(browser, 1, "length", "ascending")
    check(names_shown(browser)[:2] == ["small-0000", "small-0001"], lambda: f"the smallest: {names_shown(browser)[:3]}")
    browser.type("#search", "SMALL-001")
    browser.wait_for("#listed", f"10 of {SMALL + 3:,} torrents match")
    check(names_shown(browser) == ["small-%04d" % number for number in range(10, 20)], lambda: f"found {names_shown(browser)}")
    check(browser.run("return document.activeElement.id") == "search", "who types has lost the focus")
    browser.reload()
    browser.wait_for("#listed", f"10 of {SMALL + 3:,} torrents match")
    browser.type("#search", "<img")
    browser.wait_for("#listed", "1 of ")
    browser.click("td a")
    browser.wait_for("h1", MARKUP)
    browser.back()
    browser.wait_for("#listed", "1 of ")
    browser.type("#search", "no such name")
    browser.wait_for("td", "no name matches")


def looks_at_a_torrent(scene, browser):
    browser.open(scene.node.url + address("torrent", PARTIAL))
    browser.wait_for("#peers", "0 seeders, 3 other peers")
    check(browser.text("h1") == PARTIAL, f"the heading is {browser.text('h1')}")
    has = {row[0]: row[1] for row in rows(browser) if len(row) == 3}
    parts = {6881: "8 of 55 pieces (14.5\u00a0%)", 6882: "8 of 55 pieces (14.5\u00a0%)", 6884: "28 of 55 pieces (50.9\u00a0%)"}
    check(has == {f"127.0.0.1:{port}": part for port, part in parts.items()}, f"peers: {has}")
    held = {piece for pieces in CLAIMS.values() for first, number in pieces for piece in range(first, first + number)}
    told = f"{PIECES - len(held)} pieces of {PIECES} with none of the peers below: it cannot be completed from them."
    check(browser.text(".available p") == told, lambda: f"{browser.text('.available p')}, not {told}")
    pictures = browser.run("return [...document.querySelectorAll('td svg')].map(bar => [bar.ariaLabel, bar.childElementCount > 0])")
    check(sorted(pictures) == [["28 of 55 pieces", True], ["8 of 55 pieces", True], ["8 of 55 pieces", True]], f"bars: {pictures}")
    check(rows(browser)[-1] == [PARTIAL, "878.9 KiB"], f"files: {rows(browser)[-1]}")
    # What is fetched by the console is what anybody gets, and the link means it.
    folder = scene.world.path("downloads")
    os.makedirs(folder)
    browser.devtools("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
    browser.click("#download")
    fetched = os.path.join(folder, PARTIAL + ".torrent")
    wait_until(lambda: os.path.exists(fetched), 30, "the .torrent to be downloaded")
    with open(fetched, "rb") as file:
        check(file.read() == scene.ask(scene.node, "GET", "/torrents/" + urllib.parse.quote(PARTIAL)), "another .torrent was downloaded")
    said = json.loads(scene.client.run("inspect", fetched, "--json").out())
    check(browser.run("return document.querySelector('#magnet').value") == said["magnet"], f"the magnet link is not {said['magnet']}")
    browser.open(scene.node.url + "/#/key/" + said["info_hash_v1"])
    browser.wait_for("h1", PARTIAL)
    browser.open(scene.node.url + address("torrent", "no such name"))
    browser.wait_for("#problem", "no such name")
    browser.collect()  # that answer was a 404
    check(len(browser.console) == 1 and "status of 404" in browser.console[0], lambda: f"the browser says {browser.console}")
    browser.console.clear()


def turns_pages_of_peers(scene, browser):
    browser.open(scene.node.url + address("torrent", MARKUP))
    browser.wait_for("#peers", "50 of them here")
    peers = {row[0] for row in rows(browser) if len(row) == 3}
    browser.click("nav.row button:last-child")
    browser.wait_for("#peers", f"{MANY + 1 - 50} of them here")
    peers |= {row[0] for row in rows(browser) if len(row) == 3}
    check(peers == {f"127.0.0.1:{port}" for port in (6883, *range(7000, 7000 + MANY))}, lambda: f"{len(peers)} peers are told: {peers}")


PAGES = {
    "cluster": (address("cluster"), "#summary", "quorum"),
    "torrents": (address("torrents"), "#listed", "torrents"),
    "partial": (address("torrent", PARTIAL), "#peers", "3 other peers"),
    "markup": (address("torrent", MARKUP), "#peers", f"1 seeder, {MANY} other peers"),
    "longest": (address("torrent", LONGEST), "#peers", "0 seeders"),
}


def fits_every_screen(scene, browser):
    for name, (path, selector, words) in PAGES.items():
        browser.open(scene.node.url + path)
        browser.wait_for(selector, words)
        for width in WIDTHS:
            browser.look(width, 800)
            wide = browser.run("return document.documentElement.scrollWidth")
            check(wide <= width, f"{name} is {wide} pixels wide on a screen of {width}")
        # The page's words are those of the torrent, and nothing of them has become an element or was run.
        if name in ("markup", "longest"):
            check(browser.text("h1") == {"markup": MARKUP, "longest": LONGEST}[name], f"the heading is {browser.text('h1')}")
        made = browser.run("return [document.querySelectorAll('main script, main img').length, document.scripts.length]")
        check(made == [0, 1], f"{name} has made elements of a name: {made}")


def works_by_keyboard(scene, browser):
    focused = "const e = document.activeElement; return e.id || e.dataset.sort || e.innerText"
    browser.open(scene.node.url + address("torrents"))
    browser.reload()
    browser.wait_for("#listed", "more follow")
    reached = []
    for _ in range(10):
        browser.press("Tab")
        reached.append(browser.run(focused))
        if reached[-1] == "complete":
            break
    check(reached == ["skip", "Cluster", "Torrents", "sign", "search", "name", "length", "complete"], f"the Tab key goes to {reached}")
    browser.press("Enter")
    browser.wait_for("#listed", f"{SMALL + 3:,} torrents")
    check(browser.run(focused) == "complete" and names_shown(browser)[0] == MARKUP, "sorting by keyboard loses the focus")
    # A page that is refreshed leaves the focus where it is.
    browser.open(scene.node.url + address("torrents"))
    browser.reload()
    browser.wait_for("#listed", "more follow")
    browser.run("document.querySelectorAll('td a')[6].focus()")
    asked = "return performance.getEntriesByType('resource').filter(asked => asked.name.includes('torrents?')).length"
    wait_until(lambda: browser.run(asked) >= 2, 30, "the list to be refreshed")
    check(browser.run(focused) == "small-0004", "a refreshed list has taken the focus away")
    # A page that is opened is where whoever uses the keyboard goes on.
    browser.press("Enter")
    browser.wait_for("h1", "small-0004")
    check(browser.run("return document.activeElement.tagName") == "H1", "an opened page does not have the focus")


def is_told_to_screen_readers(scene, browser):
    for path, selector, words in PAGES.values():
        browser.open(scene.node.url + path)
        browser.wait_for(selector, words)
        nodes = [node for node in browser.devtools("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
        roles = [node["role"]["value"] for node in nodes]
        for landmark in ("banner", "navigation", "main", "contentinfo"):
            check(landmark in roles, f"{path} has no landmark {landmark}")
        check(roles.count("main") == 1 and "table" in roles and "columnheader" in roles, f"{path} has no table: {set(roles)}")
        for node in nodes:
            if node["role"]["value"] in ("button", "link", "textbox", "searchbox", "image", "img", "table", "navigation"):
                check(node.get("name", {}).get("value"), lambda n=node, p=path: f"{p} has a {n['role']['value']} without a name")


def takes_pictures(scene, browser, folder):
    os.makedirs(folder, exist_ok=True)
    for name, (path, selector, words) in PAGES.items():
        browser.open(scene.node.url + path)
        browser.wait_for(selector, words)
        for look, (width, dark) in {"light": (1280, False), "dark": (1280, True), "phone": (390, False), "phone-dark": (390, True)}.items():
            browser.look(width, 844, dark)
            browser.screenshot(os.path.join(folder, f"{name}-{look}.png"))


def nobody_else_was_asked(scene, browser):
    browser.collect()
    check(browser.console == [], lambda: f"the browser says {browser.console}")
    for url in browser.requested:
        parts = urllib.parse.urlsplit(url)
        own = parts.scheme in ("data", "blob", "about", "chrome") or url.startswith(scene.node.url + "/")
        check(own, f"the page asked {url}")
        check(scene.tokens["reader"] not in url, "the token stands in an address")
    check(len(browser.requested) > 50, "the browser told of no requests")


def outlives_its_node(scene, browser):
    browser.open(scene.node.url + address("cluster"))
    browser.wait_for("#summary", "quorum")
    scene.node.kill()
    browser.wait_for("#state", "this node does not answer")
    scene.node.start()
    wait_until(lambda: browser.texts("#state") == [], 60, "the page to go on by itself")
    browser.wait_for("#summary", "The cluster has a quorum")
    # Another leads now, which alone knows how far all are.
    browser.wait_for("main .note", "known to the leader")
    check({row[4] for row in rows(browser)} == {"–"}, lambda: f"a follower tells how far all are: {rows(browser)}")
    browser.click("#sign")
    browser.wait_for("#login-why", "tells nothing without a token")
    check(browser.texts("#page") == [] and browser.text("#sign") == "Sign in", "who has signed out sees the page")
    check(scene.tokens["reader"] not in browser.run("return JSON.stringify({...sessionStorage})"), "the token is kept after signing out")


def story(world):
    if not browser_is_installed():
        return
    scene = Scene(world)
    browser = Browser(world)
    browser.look(1280, 900)
    signs_in(scene, browser)
    looks_at_the_cluster(scene, browser)
    looks_for_torrents(scene, browser)
    looks_at_a_torrent(scene, browser)
    turns_pages_of_peers(scene, browser)
    is_told_to_screen_readers(scene, browser)
    works_by_keyboard(scene, browser)
    fits_every_screen(scene, browser)
    if sys.argv[1:2] == ["--pictures"]:
        takes_pictures(scene, browser, sys.argv[2])
    nobody_else_was_asked(scene, browser)
    outlives_its_node(scene, browser)
    browser.close()


if __name__ == "__main__":
    tell(story, 240)
