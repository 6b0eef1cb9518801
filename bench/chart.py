"""Draws the rows of ./dev bench compare as an SVG of its own: above, what an operation costs beside
redis-server; below, each figure as a share of its target, which is one line for all of them."""

from html import escape

WIDTH, MARGIN, LABEL = 880, 32, 330
BAR, GAP = 16, 8
PLOT = WIDTH - MARGIN - LABEL - 110  # between the labels and the figures
COLOURS = {"torc": "#0b7a75", "redis": "#b8bcc4", "memcached": "#dcdfe4"}
VERDICTS = {"pass": "#0b7a75", "falls short": "#d9822b"}
SHARE_MAX = 1.5                      # of redis-server's or of the target: longer bars end there
INK, FAINT = "#22262b", "#6b7178"


class Sheet:
    def __init__(self):
        self.parts, self.y = [], MARGIN

    def text(self, x, words, size=13, colour=INK, anchor="start", weight="normal"):
        self.parts.append(f'<text x="{x:.0f}" y="{self.y:.0f}" font-size="{size}" fill="{colour}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>')

    def head(self, words, below):
        self.y += 18
        self.text(MARGIN, words, size=16, weight="600")
        self.y += 18
        self.text(MARGIN, below, size=12, colour=FAINT)
        self.y += 22

    def bar(self, label, share, colour, figure):
        """`share` of the plot's width, from 0 to 1."""
        self.parts.append(f'<rect x="{LABEL}" y="{self.y:.0f}" width="{max(1, PLOT * share):.1f}" '
                          f'height="{BAR}" rx="2" fill="{colour}"/>')
        self.y += BAR - 4
        self.text(LABEL - 10, label, anchor="end")
        self.text(LABEL + PLOT * share + 8, figure, size=12, colour=FAINT)
        self.y += GAP + 4

    def line(self, share, top):
        x = LABEL + PLOT * share
        self.parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{self.y:.0f}" '
                          f'stroke="{INK}" stroke-width="1" stroke-dasharray="3 3"/>')

    def svg(self):
        height = self.y + MARGIN
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
                f'viewBox="0 0 {WIDTH} {height:.0f}" font-family="system-ui, sans-serif">\n'
                f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(self.parts) +
                "\n</svg>\n")


def draw_costs(sheet, rows):
    sheet.head("Server CPU per operation", "redis-server = 1.00; shorter is better")
    for row in rows:
        sheet.y += 6
        base = row.figures["redis"]["cpu_ns"]
        for server, seen in row.figures.items():
            ratio = seen["cpu_ns"] / base
            label = f"{row.name.replace('cpu-', 'pipeline ')}, {server}"
            sheet.bar(label, min(ratio, SHARE_MAX) / SHARE_MAX, COLOURS[server],
                      f"{ratio:.2f}  ({seen['cpu_ns']:.0f} ns)")


def draw_targets(sheet, rows):
    sheet.head("Figures beside their targets", "dashed: the target; up to it is good, and orange falls short")
    top = sheet.y
    for row in rows:
        if row.at_least is None:
            share, target = row.value / row.target, f"<= {row.target:g}"
        else:
            share, target = row.at_least / max(row.value, 1e-9), f">= {row.at_least:g}"
        sheet.bar(row.what, min(share, SHARE_MAX) / SHARE_MAX, VERDICTS[row.verdict()],
                  f"{row.value:{row.form}}{row.unit} ({target})")
    sheet.line(1 / SHARE_MAX, top)


def draw(subject, rows):
    sheet = Sheet()
    sheet.y += 8
    sheet.text(MARGIN, "Torc beside other caches", size=20, weight="600")
    sheet.y += 20
    sheet.text(MARGIN, subject, size=12, colour=FAINT)
    costs = [row for row in rows if "redis" in row.figures and isinstance(row.figures["redis"], dict)]
    judged = [row for row in rows if row.verdict() != "reported"]
    if costs:
        draw_costs(sheet, costs)
    if judged:
        draw_targets(sheet, judged)
    return sheet.svg()
