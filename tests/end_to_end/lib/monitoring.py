"""What rules and dashboards ask for, beside what a node exports, as text: no program of Prometheus is needed to compare them."""

import json
import re

# What Prometheus adds to each sample, and the name of the cluster in ours.
_TARGET_LABELS = {"job", "instance"}
_NAME = re.compile(r"(?<![\w:])(?:bytetorrent|process)_\w+")
_SELECTOR = re.compile(r"((?:bytetorrent|process)_\w+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"')


class Exported:
    """The metrics of some nodes: {name: {label: values}}, of each that has a type, also where it has no sample at present."""

    def __init__(self, texts):
        self.metrics = {}
        for text in texts:
            for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
                for suffix in ("_bucket", "_count", "_sum") if kind == "histogram" else ("",):
                    self.metrics.setdefault(name + suffix, {})
            for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
                for label, _, value in _MATCHER.findall(labels):
                    self.metrics[name].setdefault(label, set()).add(value)

    def labels(self):
        return _TARGET_LABELS.union(*self.metrics.values())

    def problems(self, expression):
        """Sentences about metrics, labels and labels' values in an expression of PromQL that no node has."""
        found = [f"no node exports {name}" for name in _NAME.findall(expression) if name not in self.metrics]
        for words in re.findall(r"\b(?:by|on|ignoring|without) \(([^)]*)\)", expression):
            found += [f"no metric has the label {label}" for label in re.findall(r"\w+", words) if label not in self.labels()]
        for name, matchers in _SELECTOR.findall(expression):
            for label, sign, value in _MATCHER.findall(matchers):
                found += self._problems_of(name, label, sign, value)
        return [f"{problem}: {expression}" for problem in found]

    def _problems_of(self, name, label, sign, value):
        if label in _TARGET_LABELS or name not in self.metrics:
            return []
        seen = self.metrics[name].get(label)
        if seen is None:
            return [f"{name} has no label {label}"]
        wanted = value.split("|") if sign in ("=~", "!~") else [re.escape(value)]
        return [f"no {name} has {label} {each}" for each in wanted if not any(re.fullmatch(each, has) for has in seen)]


def rules(text):
    """(record or alert, its name, its expression) of each rule of a file of Prometheus. An expression stands behind `expr:`, or below it indented."""
    found = []
    for kind, name, body in re.findall(r"^ +- (record|alert): (\S+)\n((?:(?! +- (?:record|alert|name):).*\n)*)", text, re.MULTILINE):
        expression = re.search(r"^( +)expr: (?:>-\n((?:\1 +.*\n)+)|(.*)\n)", body, re.MULTILINE)
        found.append((kind, name, " ".join((expression.group(2) or expression.group(3)).split())))
    return found


def dashboard_expressions(text):
    """[(the panel's title, its expression)] of a dashboard of Grafana, with its variables as Grafana would give them for the job `bytetorrent`."""
    return [
        (panel["title"], target["expr"].replace("$job", "bytetorrent").replace("$__rate_interval", "1m"))
        for panel in json.loads(text)["panels"]
        for target in panel.get("targets", [])
    ]
