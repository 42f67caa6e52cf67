"""What a reader of our Markdown would see, by markdown-it-py with the tables of GitHub."""

import re
from dataclasses import dataclass, field

from markdown_it import MarkdownIt

OUR_HTML = {"<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"}
LINKED = {
    "mention": re.compile(r"@[A-Za-z0-9]"),
    "reference": re.compile(r"(?:^|[^&\w])#\d|\bGH-\d|[!%~$]\w|\w[#!]\d"),
    "commit": re.compile(r"\b[0-9a-f]{7,40}\b"),
    "address": re.compile(r"\w://|\bwww\.|\w@\w|\bmailto:"),
    "shortcode": re.compile(r":[a-z0-9_+-]+:"),
    "command": re.compile(r"^\s*/\w", re.MULTILINE),
}


@dataclass
class Rendered:
    """Every kind of element, the text outside code, the code, and HTML that is not ours."""

    kinds: set[str] = field(default_factory=set)
    prose: str = ""
    words: str = ""
    code: list[str] = field(default_factory=list)
    foreign_html: list[str] = field(default_factory=list)

    @property
    def links(self) -> list[str]:
        """What GitHub or GitLab would turn into a link, an image or an action."""
        found = [kind for kind in ("link_open", "image") if kind in self.kinds]
        return found + [name for name, pattern in LINKED.items() if pattern.search(self.prose)]


def read(markdown: str) -> Rendered:
    """Parse as CommonMark with tables, HTML switched on."""
    seen = Rendered()
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for block in parser.parse(markdown):
        seen.kinds.add(block.type)
        if block.type == "fence":
            seen.code.append(block.content)
        if block.type == "html_block":
            seen.foreign_html += set(re.findall(r"<[^>]*>", block.content)) - OUR_HTML
        within_code = False
        for token in block.children or ():
            seen.kinds.add(token.type)
            if token.type == "html_inline":
                within_code = token.content == "<code>"
                seen.foreign_html += {token.content} - OUR_HTML
            elif token.type == "code_inline" or within_code:
                seen.code.append(token.content)
                seen.words += token.content
            elif token.type in ("text", "text_special", "softbreak", "hardbreak"):
                said = "\n" if token.type.endswith("break") else token.content
                seen.prose += said
                seen.words += said
        seen.prose += "\n"
    return seen
