"""The summary comment of a pull request, the body of a review, and the job summary.

Pure. All three are the same Markdown as ``report.md``; here it gets the sentences that only GitHub needs.
"""

import re
from collections.abc import Collection

from reviewbot.core import Review
from reviewbot.publish import summary
from reviewbot.publish.markdown import LIMIT, render_markdown
from reviewbot.publish.markers import Scope, summary_marker
from reviewbot.publish.proof import ROOM
from reviewbot.publish.sanitize import markdown_text, one_line

_LINK = re.compile(r"https://[A-Za-z0-9.:-]+/[A-Za-z0-9._/-]+(?:#[a-z_]+-?\d+)?")


def render_summary_comment(
    review: Review,
    *,
    scope: Scope,
    key: bytes | None,
    inline_posted: int,
    left_over: int,
    gate: str,
    commented: Collection[str] = (),
    since: str = "",
    memory: str = "",
) -> str:
    """The verdict, the findings, the ledger, and the gate in one sentence; ends in the summary's marker.

    ``inline_posted`` findings stand as comments at their lines, and ``left_over`` only here, although they
    deserve one. ``commented`` are the fingerprints of the former: they get one line here. ``since`` says what
    changed since the last round, and ``memory`` is what the next one must know. The text depends on nothing
    else, so the same review gives the same bytes. Fewer than 65,536 characters.
    """
    parts = (since, _where(inline_posted, left_over), _gate(gate))
    marker = summary_marker(scope, key, memory)
    tail = "".join(f"\n{part}\n" for part in parts if part)
    room = ROOM if review.patch else 0
    text = render_markdown(review, limit=LIMIT - room - len(tail) - len(marker) - 1, commented=commented)
    return f"{text}{tail}\n{marker}"


def render_job_summary(review: Review, *, gate: str) -> str:
    """The whole review and what it means for the merge; far less than the 1 MiB that a runner takes."""
    return f"{render_markdown(review)}\n{_gate(gate)}".rstrip() + "\n"


def render_review_body(summary_url: str) -> str:
    """The one line above the comments of a review: a link to the summary, where GitHub gave a plain one."""
    link = render_link("summary", summary_url)
    return f"The verdict and all findings are in the {link if link != 'summary' else 'summary of reviewbot'}."


def render_link(words: str, url: str) -> str:
    """The words, linked where GitHub gave a plain address."""
    return f"[{words}]({url})" if _LINK.fullmatch(url) else words


def _where(inline_posted: int, left_over: int) -> str:
    """Where to read the findings; empty where none deserves a comment."""
    posted = summary.count(inline_posted, "finding has a comment", "findings have a comment")
    here = "1 stands only here" if left_over == 1 else f"{left_over} stand only here"
    if inline_posted and left_over:
        return f"{posted} at the line; {here}."
    if inline_posted:
        return f"{posted} at the line."
    return f"No finding has a comment at its line: {here}." if left_over else ""


def _gate(gate: str) -> str:
    return markdown_text(one_line(gate, 600))
