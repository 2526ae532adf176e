"""The table, for the terminal and in Markdown."""

from figures import with_unit

HEADINGS = ["", "kernel threads", "greenpatch", "k", "k of others", "target", "reached"]


def ratio(figure, way):
    if not figure.ratios(way):
        return ""
    if figure.plain:
        return "" if way == "green" else value(figure, way)
    least, most = figure.spread(way)
    return f"{short(figure.middle_ratio(way))} ({short(least)}–{short(most)})"


def short(value):
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 5 else f"{value:.2f}"


def value(figure, way):
    return with_unit(figure.middle(way), figure.unit) if way in figure.samples else "–"


def row(figure):
    others = [f"{name} {ratio(figure, way)}" for way, name in
              (("other", "other library"), ("epoll", "epoll"), ("uring", "io_uring"), ("gevent", "gevent")) if figure.ratios(way)]
    results = figure.reached()
    return [figure.name, value(figure, "native"), value(figure, "green"), ratio(figure, "green"), ", ".join(others),
            "; ".join(text for text, _ in results),
            "; ".join({True: "yes", False: "**no**", None: "not measured"}[reached] for _, reached in results)]


def terminal(figures):
    rows = [HEADINGS] + [[cell.replace("**", "") for cell in row(figure)] for figure in figures]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = []
    for cells in rows:
        lines.append("  ".join(cell.rjust(width) if i in (1, 2) else cell.ljust(width)
                               for i, (cell, width) in enumerate(zip(cells, widths))).rstrip())
    for figure in figures:
        lines += [f"{figure.name}: {note}" for note in dict.fromkeys(figure.notes)]
    return "\n".join(lines)


def markdown(figures):
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|--:|--:|---|---|---|---|"]
    lines += ["| " + " | ".join(row(figure)) + " |" for figure in figures]
    notes = [f"- {figure.name}: {note}" for figure in figures for note in dict.fromkeys(figure.notes)]
    return "\n".join(lines + ([""] + notes if notes else []))
