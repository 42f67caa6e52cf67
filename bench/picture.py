"""Draw the README's picture: a real review of a small real change, as an SVG of the terminal.

python bench/picture.py [FILE]
"""

import re
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.text import Text

from reviewbot.change.policy_file import Asked
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.terminal import render_terminal
from reviewbot.request import Request

BASE = {"README.md": "# Shop\n", "requirements.lock": "", "shop/export.py": "import csv\nimport subprocess\n"}
HEAD = {
    "shop/export.py": (
        "import csv\nimport subprocess\n\n\ndef export(rows, name):\n"
        '    with open(f"/srv/{name}.csv", "w") as file:\n        csv.writer(file).writerows(rows)\n'
        '    subprocess.run(f"gzip /srv/{name}.csv", shell=True)\n'
    ),
    "Dockerfile": "FROM python:3.12.7-slim\nCOPY . /app\nRUN apt-get update\n",
    "web/checkout.js": "export const total = (cart) => cart.reduce((sum, item) => sum + item.price, 0);\n",
    "package-lock.json": "{}\n",
}


def commit(folder: Path, files: dict[str, str]) -> None:
    """Write and commit some files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "-m", "c"], cwd=folder, check=True)


def main() -> None:
    """Review the sample and write the picture."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".github/review.svg")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "shop"
        folder.mkdir()
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
        commit(folder, BASE)
        commit(folder, HEAD)
        request = Request(folder, asked=Asked(overrides={"engine": "analyzers"}))
        review = review_change(request, Journal(), lambda _: nullcontext())
        text = render_terminal(review, width=96, color=True)
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=96, file=nowhere, force_terminal=True)
        console.print(Text("$ reviewbot review --engine analyzers", style="bold"))
        console.print(Text.from_ansi(text))
    drawing = console.export_svg(title="reviewbot", unique_id="review")
    # The viewer's own monospace font, so that the picture loads nothing from elsewhere.
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)
    drawing = drawing.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(line.rstrip() for line in drawing.splitlines()) + "\n")


if __name__ == "__main__":
    main()
