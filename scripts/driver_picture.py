"""The picture of scripts/driver-tables: queries per second, a bar for each way."""

import statistics

from drawing import Drawing

WIDTH, LEFT, BAR, STEP = 680, 200, 300, 36


def draw(rows, about):
    """`rows`: of each way the name, queries per second, and the ratios to the first way, round by round."""
    drawing = Drawing(WIDTH, f"Queries per second, {about}")
    drawing.text(20, 28, f"Queries per second, {about}", size=14, bold=True)
    drawing.text(20, 46, "in brackets: times PyMySQL under gevent, the middle, least and most of the rounds", style="faint")
    scale = BAR / max(rate for _, rate, _ in rows)
    for i, (name, rate, ratios) in enumerate(rows):
        y = 62 + STEP * i
        drawing.text(LEFT - 10, y + 17, name, anchor="end")
        drawing.rect(LEFT, y, rate * scale, 24, "green" if name.endswith(("guest of gevent", "own hub")) else "native", radius=3)
        spread = f" ({statistics.median(ratios):.2f}; {min(ratios):.2f}–{max(ratios):.2f})" if i else ""
        drawing.text(LEFT + rate * scale + 8, y + 17, f"{rate:,.0f}{spread}")
    return drawing.finish(62 + STEP * len(rows) + 10)
