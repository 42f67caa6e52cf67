"""Render the summary comment with 0, 3 and 60 findings in a real browser, at 390 and 1280 pixels.

    python bench/comments.py FOLDER

Writes one PNG for each number of findings, width and colour scheme, and the README's summary.png.
Needs Chromium (CHROMIUM names another program) and the development packages. The style sheet is ours and
only close to GitHub's.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from reviewbot.core import Review
from reviewbot.publish.comment import render_summary_comment
from reviewbot.publish.markers import Scope

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.publish import finding, review, rich_review

WIDTHS = (390, 1280)
STYLE = """
:root { --bg: #fff; --fg: #1f2328; --line: #d1d9e0; --code: #eff2f5; --link: #0969da }
.dark { --bg: #0d1117; --fg: #f0f6fc; --line: #3d444d; --code: #212830; --link: #4493f8 }
body { margin: 0; padding: 16px; background: var(--bg); color: var(--fg);
  font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", Helvetica, Arial, sans-serif }
.box { border: 1px solid var(--line); border-radius: 6px; padding: 16px; max-width: 860px; margin: auto;
  overflow-wrap: break-word }
code { background: var(--code); border-radius: 6px; padding: .2em .4em;
  font: 85%/1.45 ui-monospace, "DejaVu Sans Mono", monospace }
pre { background: var(--code); border-radius: 6px; padding: 12px; overflow: auto }
pre code { padding: 0 } a { color: var(--link) }
h3, h4 { margin: 20px 0 12px } h3:first-child { margin-top: 0 }
summary { cursor: pointer } table { border-collapse: collapse; display: block; overflow: auto }
td, th { border: 1px solid var(--line); padding: 6px 13px }
"""


def reviews() -> dict[int, Review]:
    """Reviews made by hand with so many findings."""
    return {0: review(), 3: review(*(finding(n) for n in range(1, 4)), blocking=1), 60: rich_review(52)}


def page(made: Review, scheme: str) -> str:
    """The comment as a page; HTML of the comment itself is kept, as GitHub keeps what it allows."""
    scope = Scope("acme/shop", 7)
    gate = "The exit code of this job is the gate."
    text = render_summary_comment(made, scope=scope, key=None, inline_posted=0, left_over=0, gate=gate)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return (
        f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>"
        f"<body class={scheme}><div class=box>{html}</div>"
    )


def shoot(html: str, width: int, target: Path, height: int = 1400) -> None:
    """A picture of a page, in pixels as wide and as high as asked."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(html)
        command = [
            os.environ.get("CHROMIUM", "chromium"), "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-background-networking", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}", f"--screenshot={target}", file.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> int:
    """Write every picture and say where it is."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    shoot(page(reviews()[3], "light"), 760, folder.resolve() / "summary.png", 420)
    for number, made in reviews().items():
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                target = folder.resolve() / f"findings-{number}-{width}-{scheme}.png"
                shoot(page(made, scheme), width, target)
                print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
