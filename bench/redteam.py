"""Attack reviewbot with injected text and captured models, and count by surface what held.

    python bench/redteam.py                 the whole corpus, as a Markdown table (minutes)
    python bench/redteam.py --write         the same, and put the table into SECURITY.md
    python bench/redteam.py --live N        N cases a surface, real models (a key; costs money)
          --budget-usd D                    dollars that it may spend in all (default: 5)
          --yes                             do not ask first

The corpus is the injections of ../shared/data where they lie, and ten texts of our own. A case is one text
on one surface under one captured model (`tests/hostile/captive.py`); it is broken where the planted fault
beside it no longer blocks, or where a rule on verdict, ledger, tools, targets, cost, output or secrets does
not hold for its run (`tests/hostile/rig.py`). The table in SECURITY.md is the one printed here.

With --live the same files go to the models that the environment names, once as a clean twin without the
text and once with it: a fault that the security agent found without the text and not with it was talked
away; one that it did not find without the text was missed. Files that it did not get to read count as
neither. It says what it may spend and goes on only after `yes`. These are rates, never a proof of safety.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the rig is in tests/

from tests.hostile.corpus import read_corpus
from tests.hostile.redteam import (
    DOCUMENT,
    has_agreed,
    put_table,
    render_live,
    render_table,
    run_corpus,
    run_live,
)


def main() -> int:
    """Print the table; exit 1 where a case is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--live", type=int, metavar="N", help="ask the real models, N cases a surface")
    parser.add_argument("--budget-usd", type=float, default=5.0, metavar="D", help="dollars in all")
    parser.add_argument("--yes", action="store_true", help="spend without asking first")
    parser.add_argument("--write", action="store_true", help="put the table into SECURITY.md")
    options = parser.parse_args()
    corpus = read_corpus()
    if options.live:
        if not (options.yes or has_agreed(options.live, options.budget_usd, sys.stdin, sys.stderr)):
            sys.stderr.write("Nothing was asked and nothing was spent.\n")
            return 2
        print(render_live(*run_live(corpus, options.live, os.environ, options.budget_usd)), end="")
        return 0
    rows = list(run_corpus(corpus))
    table = render_table(rows, corpus)
    print(table, end="")
    if options.write:
        DOCUMENT.write_text(put_table(DOCUMENT.read_text(), table))
    for row in rows:
        for fault in row.faults[:10]:
            sys.stderr.write(f"{row.surface}: {fault}\n")
    return 1 if any(row.broken for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
