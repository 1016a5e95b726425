"""A headless Chromium, driven over WebDriver's HTTP (https://www.w3.org/TR/webdriver2/) by Debian's chromium-driver."""

import base64
import json
import os
import urllib.error
import urllib.request

from checkout import wanted
from processes import Failure, check, wait_until

_START_SECONDS = 60
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# Nothing of it asks the network by itself, and no sandbox, which root has none of.
_FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
    --disable-sync --disable-default-apps --disable-dev-shm-usage --remote-debugging-port=0""".split()
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "ArrowRight": "\ue014"}


def browser_is_installed():
    """Whether both programs are there; else what needs them is left out, and stderr says so."""
    return all(wanted(program, "tools/setup") is not None for program in ("chromium", "chromedriver"))


class Browser:
    """One tab. The programs are the world's: they end with it, in whatever way it ends."""

    def __init__(self, world):
        # Its own files go below the world's folder, HOME's among them.
        home = world.path(f"browser-{len(world.processes)}")
        os.makedirs(home)
        environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        chromium = world.start("chromium", ["chromium", *_FLAGS, f"--user-data-dir={home}/profile", "about:blank"], env=environment)
        debugger = chromium.wait_for_line(r"DevTools listening on ws://(127\.0\.0\.1:\d+)/", _START_SECONDS).group(1)
        driver = world.start("chromedriver", ["chromedriver", "--port=0"], env=environment)
        port = driver.wait_for_line(r"started successfully on port (\d+)", _START_SECONDS).group(1)
        self._url = f"http://127.0.0.1:{port}"
        options = {"debuggerAddress": debugger}
        wanted_logs = {"browser": "ALL", "performance": "ALL"}
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": wanted_logs}}})
        self._url += "/session/" + answer["sessionId"]
        self.console = []  # what the browser has said of pages, since the last look
        self.requested = []  # URLs, since the beginning

    def _ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Failure(f"the browser refuses {method} {path}: {error.read().decode()[:600]}") from error

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def reload(self):
        self._ask("POST", "/refresh", {})

    def back(self):
        self._ask("POST", "/back", {})

    def run(self, script, *arguments):
        """What `script`, the body of a function, returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def texts(self, selector):
        """What people read in each element of that selector that is shown."""
        return self.run("return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility()).map(e => e.innerText)", selector)

    def text(self, selector):
        texts = self.texts(selector)
        check(texts, f"nothing is shown of {selector}")
        return texts[0]

    def wait_for(self, selector, words, seconds=_START_SECONDS):
        """Until some element of the selector says `words`."""
        wait_until(lambda: any(words in text for text in self.texts(selector)), seconds, lambda: f"{selector} to say {words!r}: {self.texts(selector)}")

    def _find(self, selector):
        return self._ask("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT]

    def click(self, selector):
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector, text):
        element = self._find(selector)
        self._ask("POST", f"/element/{element}/clear", {})
        self._ask("POST", f"/element/{element}/value", {"text": text})

    def press(self, key):
        """A key of the keyboard, to whatever has the focus."""
        value = KEYS.get(key, key)
        actions = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def look(self, width, height, dark=False):
        """From now on a window of that size, of a system that wants light or dark."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 640)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path):
        """The whole page."""
        picture = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def collect(self):
        """Takes up what the browser has logged."""
        self.console += [f"{entry['level']}: {entry['message']}" for entry in self._ask("POST", "/se/log", {"type": "browser"})]
        for entry in self._ask("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])

    def close(self):
        self._ask("DELETE", "")
