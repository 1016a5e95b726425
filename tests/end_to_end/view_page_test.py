#!/usr/bin/env -S python3 -B
"""The page that `simrun view` writes, in a browser: of a run of the tracker and of one in which a judge complains. Filter, search,
zoom and the keyboard do what their words say, and the page asks nobody anything."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from browser import Browser, browser_is_installed
from processes import check, tell, wait_until

# The picture, once what was asked for is drawn: a canvas has no words.
PICTURE = """return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.querySelector('#lanes').toDataURL()))))"""


def opens(world, browser, name, simrun, *arguments):
    path = world.path(name + ".html")
    made = world.run(name, [simrun, "view", *arguments, "-o", path], 120)
    check(os.path.exists(path), lambda: f"no page was written: {made.out()}{made.err()}")
    browser.open("file://" + path)
    browser.wait_for("#about", "records")
    return int(re.match(r"([\d,]+) records", browser.text("#about")).group(1).replace(",", ""))


def another_picture(browser, before, what):
    return wait_until(lambda: (now := browser.run(PICTURE)) != before and now, 20, f"the picture to be another one, of {what}")


def filters(browser):
    browser.click("#all")
    whole = browser.run(PICTURE)
    names = browser.texts("#kinds label")
    check(names == ["Sent", "Received", "Timers", "Disk", "Calls", "Notes", "Events", "Faults", "Finding"], f"kinds: {names}")
    browser.click("#kinds label:nth-child(3) input")
    without = another_picture(browser, whole, "no timers")
    browser.click("#kinds label:nth-child(3) input")
    check(another_picture(browser, without, "timers") == whole, "what was filtered out and in again is drawn otherwise")


def searches(browser, records):
    browser.run("document.activeElement.blur()")
    browser.press("/")
    check(browser.run("return document.activeElement.id") == "search", "the key / does not lead to the search")
    browser.type("#search", "BecameLeader")
    browser.wait_for("#found", "found")
    found = int(browser.text("#found").split()[0])
    check(0 < found < records, f"{found} found of {records}")
    browser.press("Enter")
    browser.wait_for("#found", f"1 of {found}")
    check("BecameLeader" in browser.text("#text"), lambda: f"selected: {browser.text('#text')}")
    browser.click("#previous")
    browser.wait_for("#found", f"{found} of {found}")
    browser.type("#search", "no such words")
    browser.wait_for("#found", "0 found")
    check(browser.run("return document.querySelector('#next').disabled"), "one may go on to what was not found")


def moves(browser):
    browser.click("#all")
    browser.run("document.activeElement.blur()")
    whole = browser.run(PICTURE)
    browser.press("+")
    part = another_picture(browser, whole, "a part")
    browser.press("ArrowRight")
    another_picture(browser, part, "the part behind it")
    browser.press("0")
    wait_until(lambda: browser.run(PICTURE) == whole, 20, "the whole run again")


def story(world):
    if not browser_is_installed():
        return
    browser = Browser(world)
    browser.look(1280, 900)
    records = opens(world, browser, "tracker", world.binaries.simrun, "--scenario=tracker_faults", "--seed=3", "--to=2")
    check(browser.text("#verdict") == "No judge complained.", browser.text("#verdict"))
    check(browser.run("return document.querySelector('#finding').disabled"), "one may go to a finding that is none")
    filters(browser)
    searches(browser, records)
    moves(browser)
    found = world.run("sweep", [world.binaries.example_simrun, "sweep", "--scenario=no_margin", "--first-seed=1", "--seeds=100", "--failures=1", "--jobs=1"], 120)
    seed = re.search(r"--seed=(\d+)", found.out()).group(1)
    opens(world, browser, "finding", world.binaries.example_simrun, "--scenario=no_margin", f"--seed={seed}")
    check(browser.text("#verdict").startswith("exclusion: "), browser.text("#verdict"))
    check("exclusion: " in browser.text("#text"), "a run in which a judge complained does not open at the finding")
    for width, dark in ((390, False), (1280, True)):
        browser.look(width, 844, dark)
        wide = browser.run("return document.documentElement.scrollWidth")
        check(wide <= width, f"the page is {wide} pixels wide on a screen of {width}")
        if sys.argv[1:2] == ["--pictures"]:
            os.makedirs(sys.argv[2], exist_ok=True)
            browser.screenshot(os.path.join(sys.argv[2], f"view-{width}.png"))
    browser.collect()
    check(browser.console == [], lambda: f"the browser says {browser.console}")
    check(all(url.startswith(("file://" + world.folder, "data:", "about:")) for url in browser.requested), lambda: f"asked: {browser.requested}")
    browser.close()


if __name__ == "__main__":
    tell(story, 240)
