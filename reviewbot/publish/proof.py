"""The proof of a fix in the summary comment: one paragraph above the marker, put in or replaced. Pure."""

from reviewbot.prove.result import Proof
from reviewbot.publish.sanitize import markdown_text, one_line

ROOM = 2_000
"""Characters that a summary with a fix leaves free for the paragraph."""

_START = "**The fix, tried in a job of its own:** "
_END = " (The tests are code of the change, and the verdict does not rest on them.)"
_CAPTION = "<summary>A fix for the failed tests, {}: <code>git apply fix.patch</code></summary>"
_UNTRIED = "lies beside this report. Nobody has proven it."
_TRIED = "lies beside this report. It was tried in a job of its own: see below."


def say_proof(proof: Proof) -> str:
    """What became of the patch, in one clause of Markdown."""
    said = one_line(proof.sentence, 600)
    if proof.status != "proven":
        return markdown_text(said)
    return f"applied: {markdown_text(said.removeprefix('Proven: '))}"


def add_proof(body: str, said: str, *, is_proven: bool) -> str:
    """The summary comment with what became of its fix, in place of what an earlier run said of that.

    ``said`` is finished Markdown of one line, ``body`` ends in its marker. What stands beside the fix says
    it, too, where it stands once: what others wrote could look like it.
    """
    text, _, marker = body.replace("\r\n", "\n").rstrip().rpartition("\n")
    paragraphs, _, last = text.rstrip().rpartition("\n")
    text = paragraphs if last.startswith(_START) else text
    words = ("proven", "not proven") if is_proven else ("not proven", "proven")
    text = _replace_lone(text, *(_CAPTION.format(each) for each in words))
    text = _replace_lone(text, _TRIED, _UNTRIED)
    return f"{text.rstrip()}\n\n{_START}{said}{_END}\n\n{marker}"


def _replace_lone(text: str, new: str, old: str) -> str:
    return text.replace(old, new) if text.count(old) + text.count(new) == 1 else text
