"""A figure: what was measured in each way, its ratios with their spread, and whether a target is reached."""

import statistics

# The ways in which programs run. `other` is a second library to compare with.
NAMES = {"native": "kernel threads", "green": "greenpatch", "other": "other library", "epoll": "epoll loop in C",
         "uring": "io_uring loop in C", "gevent": "PyMySQL under gevent"}


class Target:
    """One row of what is aimed at: `test` gets the figure and returns the reached value, and whether it is enough."""

    def __init__(self, text, test):
        self.text, self.test = text, test


def k_at_least(limit):
    return Target(f"k {limit:g}", lambda figure: figure.middle_ratio("green") >= limit)


def at_most(limit, text):
    return Target(text, lambda figure: figure.middle("green") <= limit)


def at_most_times(limit, way):
    """At most so many times what it is in another way."""
    return Target(f"{limit:g} × {NAMES[way]}", lambda figure: 1 / figure.middle_ratio("green", way) <= limit)


def at_least_times(limit, way):
    return Target(f"{limit:g} × {NAMES[way]}", lambda figure: figure.middle_ratio("green", way) >= limit)


class Figure:
    def __init__(self, part, name, unit, better="less", targets=(), x=None, note="", plain=False):
        # A plain figure is no time: values are compared, not ratios.
        self.plain = plain
        self.part, self.name, self.unit, self.better, self.x = part, name, unit, better, x
        self.targets = [targets] if isinstance(targets, Target) else list(targets)
        self.samples = {}
        self.notes = [note] if note else []
        self.saved_results = None

    @classmethod
    def from_dict(cls, saved):
        figure = cls(saved["part"], saved["name"], saved["unit"], saved["better"], x=saved.get("x"), plain=saved.get("plain", False))
        figure.samples, figure.notes = saved["samples"], saved["notes"]
        figure.saved_results = [(target["text"], target["reached"]) for target in saved["targets"]]
        return figure

    def add(self, way, value):
        """One sample per way and round: the ratios are between those of one round."""
        self.samples.setdefault(way, []).append(value)

    def middle(self, way):
        return statistics.median(self.samples[way])

    def ratios(self, way, base="native"):
        """How many times better than `base`, round by round: more than 1 is better."""
        pairs = zip(self.samples.get(way, ()), self.samples.get(base, ()))
        return [(b / a if self.better == "less" else a / b) for a, b in pairs if a and b]

    def middle_ratio(self, way, base="native"):
        ratios = self.ratios(way, base)
        return statistics.median(ratios) if ratios else float("nan")

    def spread(self, way, base="native"):
        ratios = self.ratios(way, base)
        return (min(ratios), max(ratios)) if ratios else (float("nan"), float("nan"))

    def reached(self):
        """Pairs of a target's text and whether it is reached; not, if it could not be measured."""
        if self.saved_results is not None:
            return self.saved_results
        results = []
        for target in self.targets:
            try:
                results.append((target.text, bool(target.test(self))))
            except (KeyError, statistics.StatisticsError, ZeroDivisionError):
                results.append((target.text, None))
        return results

    def as_dict(self):
        result = {"part": self.part, "name": self.name, "unit": self.unit, "better": self.better, "samples": self.samples}
        if self.x is not None:
            result["x"] = self.x
        if self.plain:
            result["plain"] = True
        result["k"] = {way: {"median": self.middle_ratio(way), "least": self.spread(way)[0], "most": self.spread(way)[1]}
                       for way in self.samples if way != "native" and self.ratios(way)}
        result["targets"] = [{"text": text, "reached": reached} for text, reached in self.reached()]
        result["notes"] = self.notes
        return result


def with_unit(value, unit):
    """A value for people: three digits and a unit that fits."""
    if value is None or value != value:
        return "–"
    if unit == "ns":
        for limit, factor, name in ((1000, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms"), (float("inf"), 1e9, "s")):
            if value < limit:
                return f"{three_digits(value / factor)} {name}"
    if unit == "KiB" and value >= 1024:
        return f"{three_digits(value / 1024)} MiB"
    return f"{three_digits(value)} {unit}".strip()


def three_digits(value):
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}"
