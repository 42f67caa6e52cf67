import base64
import random
import time

import pytest

from reviewbot.core import ChangeStatus, Evidence, FileChange, Severity
from reviewbot.evidence.analyzers import AnalyzerRun, run_analyzers
from reviewbot.evidence.secret_kinds import KINDS
from reviewbot.evidence.secrets import is_random
from reviewbot.secrets.masking import mask
from tests.evidence.whole_files import Blobs, added_file, change_set, store, whole_files

# Made up at import, and put together so that this file holds no secret of a known format.
_RANDOM = random.Random(7)


def letters(count: int, alphabet: str = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789") -> str:
    return "".join(_RANDOM.choice(alphabet) for _ in range(count))


GITHUB = "ghp_" + letters(36)
HEX = "0123456789abcdef"
KNOWN = {
    "aws-access-key": "AKIA" + letters(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "github-token": "github_pat_" + letters(22) + "_" + letters(59),
    "gitlab-token": "glpat-" + letters(20),
    "slack-token": "xoxb-" + "-".join(["123412341234", "432143214321", letters(24).lower()]),
    "stripe-access-key": "sk_live_" + letters(24),
    "anthropic-api-key": "sk-ant-api03-" + letters(93) + "AA",
    "openai-api-key": "sk-proj-" + letters(74) + "T3Blbk" + "FJ" + letters(73) + "_-A",
    "google-api-key": "AIza" + letters(35),
    "hugging-face-token": "hf_" + letters(34, "abcdefghijklmnopqrstuvwxyzABCDEF"),
    "digitalocean-token": "dop_v1_" + letters(64, HEX),
    "npm-token": "npm_" + letters(36),
    "sendgrid-api-key": "SG." + letters(22) + "." + letters(43),
    "google-oauth-secret": "GOCSPX-" + letters(28),
    "shopify-token": "shpat_" + letters(32, HEX),
    "vault-token": "hvs." + "aB3" + letters(92),
    "databricks-token": "dapi" + letters(32, HEX),
    "grafana-token": "glsa_" + letters(32) + "_" + letters(8, HEX),
    "docker-token": "dckr_pat_" + letters(27),
    "age-secret-key": "AGE-SECRET-" + "KEY-1" + letters(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "pypi-token": "pypi-" + "AgEIcHlwaS5vcmc" + letters(80),
}
AWS_SECRET = "a/Z+7" + letters(35)
KEY_BODY = [base64.b64encode(_RANDOM.randbytes(48)).decode() for _ in range(3)]
KEY = "\n".join(["-----BEGIN RSA " + "PRIVATE KEY-----", *KEY_BODY, "-----END RSA " + "PRIVATE KEY-----"])


def run(files: dict[str, str | bytes], excluded: tuple[str, ...] = ()) -> AnalyzerRun:
    changes, read_blob = whole_files(files)
    found = run_analyzers(changes, read_blob, names=["detect-secrets"], excluded=excluded)
    assert found.failed == {}
    return found


def shown(found: AnalyzerRun, path: str, text: str) -> list[str]:
    """The head lines as grounding shows them: with all masks of the run."""
    masks = [
        span for item in found.evidence if item.location and item.location.path == path for span in item.masks
    ]
    masks += found.masks.get(path, ())
    return [
        mask(line, [(start, end) for n, start, end in masks if n == number])
        for number, line in enumerate(text.split("\n"), 1)
    ]


def only(found: AnalyzerRun) -> Evidence:
    assert len(found.evidence) == 1, found
    return found.evidence[0]


@pytest.mark.parametrize("rule", KNOWN)
def test_known_formats_are_high_and_never_shown(rule: str) -> None:
    item = only(run({"app/config.py": f"import os\n\nclient = Client('{KNOWN[rule]}')\n"}))
    assert (item.tool, item.rule, item.severity) == ("detect-secrets", rule, Severity.HIGH)
    assert item.location is not None and item.location.start_line == 3
    assert item.masks[-1] == (3, 17, 17 + len(KNOWN[rule]))  # an older form may be a part of it
    assert KNOWN[rule][4:] not in repr(item)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.yml", "  - key: {}"),
        ("a.yml", "# {}"),
        ("a.yml", "    {{a: b, c: {}}}"),
        ("a.ini", "key = {}"),
        ("a.ini", "; {}"),
        (".env", "KEY={}"),
        ("a.json", '  "key": "{}",'),
        ("a.js", "f({{key: '{}'}});"),
        ("a.go", 'k := New("{}")'),
        ("a.tf", '  token = "{}"'),
        ("a.md", "Use `{}` here."),
        ("a.py", "key = '{}'"),
        ("credentials", "key = {}"),
        ("a.css", "/* {} */"),
        ("a.svg", "<!-- {} -->"),
        ("a.lock", "{}"),
        ("swagger.json", '"{}"'),
        ("Cargo.lock", "{}"),
    ],
)
def test_a_token_is_found_on_its_line_in_every_kind_of_file(path: str, line: str) -> None:
    before = "[section]\nblock: |\n  one\n\n  two\n"
    item = only(run({path: before + line.format(GITHUB) + "\n"}))
    assert (item.rule, item.severity) == ("github-token", Severity.HIGH)
    assert item.location is not None and item.location.start_line == 6
    assert GITHUB not in repr(item)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.yml", "password: correct-horse-battery"),
        (".env.production", "DB_PASSWORD=correct-horse-battery"),
        ("a.properties", "db.password=correct-horse-battery"),
        ("a.py", "password = 'correct-horse-battery'"),
        ("a.js", 'const password = "correct-horse-battery";'),
        ("a.tf", 'password = "correct-horse-battery"'),
    ],
)
def test_a_keyword_is_a_guess_that_cannot_block(path: str, line: str) -> None:
    item = only(run({path: f"x\n{line}\n"}))
    assert (item.rule, item.severity) == ("secret-keyword", Severity.MEDIUM)
    assert item.confidence < 0.5
    assert "horse" not in repr(item)


def test_guesses_are_low_in_tests() -> None:
    assert only(run({"tests/test_a.py": "password = 'correct-horse-battery'\n"})).severity is Severity.LOW


@pytest.mark.parametrize(
    "line",
    [
        "password = get_password()",
        "password = os.environ['DB_PASSWORD']",
        "password = '<password>'",
        "id = 4711",
    ],
)
def test_what_is_no_secret_is_not_reported(line: str) -> None:
    assert run({"a.py": f"{line}\n"}).evidence == ()


def test_random_strings_are_guesses() -> None:
    item = only(run({"a.py": f"value = '{KEY_BODY[0]}'\n"}))
    assert (item.rule, item.severity) == ("base64-high-entropy", Severity.MEDIUM)
    assert KEY_BODY[0] not in repr(item)


def test_a_table_of_random_strings_is_cut_and_counted() -> None:
    rows = [base64.b64encode(_RANDOM.randbytes(48)).decode() for _ in range(40)]
    found = run({"a.py": "".join(f"    '{row}',\n" for row in rows) + f"x = '{GITHUB}'\n"})
    assert len(found.evidence) == 26
    assert found.evidence[-1].rule == "github-token"
    assert [item.why[:14] for item in found.rejected] == ["15 more lines "]
    assert {number for item in found.evidence for number, _, _ in item.masks} == set(range(1, 42))


def test_only_added_lines_are_searched() -> None:
    blobs: Blobs = {}
    head = f"a = '{KNOWN['gitlab-token']}'\nb = 2\nc = '{GITHUB}'\n"
    sha = store(blobs, head.encode())
    mode = "100644"
    change = FileChange("a.py", None, ChangeStatus.MODIFIED, mode, mode, sha, sha, 1, added=((3, 3),))
    item = only(run_analyzers(change_set(change), blobs.__getitem__, names=["detect-secrets"]))
    assert (item.rule, item.location and item.location.start_line) == ("github-token", 3)


def test_the_same_secret_is_masked_wherever_it_stands_and_found_on_every_added_line() -> None:
    blobs: Blobs = {}
    sha = store(blobs, f"a = '{GITHUB}'\nb = '{GITHUB}'\n\nc = '{GITHUB}'\n".encode())
    mode = "100644"
    change = FileChange("a.py", None, ChangeStatus.MODIFIED, mode, mode, sha, sha, 2, added=((2, 2), (4, 4)))
    run = run_analyzers(change_set(change), blobs.__getitem__, names=["detect-secrets"])
    found = run.evidence
    assert [item.location and item.location.start_line for item in found] == [2, 4]
    assert [[number for number, _, _ in item.masks] for item in found] == [[2], [4]]
    assert set(run.masks["a.py"]) >= {(1, 5, 45)}
    assert GITHUB not in repr(run)


def test_several_secrets_on_a_line_are_one_finding_of_the_worst_kind() -> None:
    slack = KNOWN["slack-token"]
    item = only(run({"a.py": f"password = 'correct-horse-battery'; a, b = '{GITHUB}', '{slack}'\n"}))
    assert item.severity is Severity.HIGH
    assert GITHUB not in repr(item) and slack not in repr(item)


@pytest.mark.parametrize(
    ("path", "severity"), [("deploy/id_rsa", "high"), ("tests/key.pem", "medium"), ("docs/tls.md", "medium")]
)
def test_a_private_key_is_masked_through_its_end(path: str, severity: str) -> None:
    item = only(run({path: f"# key\n{KEY}\nafter = 1\n"}))
    assert (item.rule, item.severity.value) == ("private-key", severity)
    assert [number for number, _, _ in item.masks] == [2, 3, 4, 5]
    assert not any(part in repr(item) for part in KEY_BODY)


def test_a_private_key_on_one_line_is_found_and_masked() -> None:
    item = only(run({"a.py": "key = '" + KEY.replace("\n", "\\n") + "'\n"}))
    assert (item.rule, item.severity) == ("private-key", Severity.HIGH)
    assert not any(part[:20] in repr(item) for part in KEY_BODY)


def test_the_header_of_a_key_alone_is_low() -> None:
    text = "if 'BEGIN RSA " + "PRIVATE KEY' in text:\n    return load(text)\n"
    assert only(run({"a.py": text})).severity is Severity.LOW


@pytest.mark.parametrize(
    "value",
    ["AKIA" + "IOSFODNN7" + "EXAMPLE", "ghp_" + "x" * 36, "https://user:" + "password@db.example.com/x"],
)
def test_published_samples_are_low_where_samples_stand(value: str) -> None:
    assert only(run({"docs/use.md": f"x = '{value}'\n"})).severity is Severity.LOW
    assert only(run({"tests/test_a.py": f"x = '{value}'\n"})).severity is Severity.LOW


def test_a_placeholder_is_low_everywhere_and_a_made_up_key_in_a_program_is_not() -> None:
    assert only(run({"app.py": f"x = 'ghp_{'x' * 36}'\n"})).severity is Severity.LOW
    assert only(run({"app.py": f"x = 'AKIA{'IOSFODNN7'}{'EXAMPLE'}'\n"})).severity is Severity.HIGH


@pytest.mark.parametrize(
    "name", ["proxy_password", "self.db_secret", "conf['pw']", "password()", "pw!r", "", "1"]
)
def test_a_password_that_is_put_in_when_the_program_runs_is_none(name: str) -> None:
    assert not run({"app.py": f'url = f"https://{{user}}:{{{name}}}@{{host}}/x"\n'}).evidence
    assert not run({"app.py": f'url = f"https://ann:{{{name}}}@db.example.com/x"\n'}).evidence


def test_letters_of_a_key_inside_encoded_bytes_are_no_key() -> None:
    letters = "AKIA" + "AQ2WAAB7AAHAM0AA"
    bytes_ = f"QAHAEwAAQAgAHAGQAa{letters}QAAABQA8AU8AAQ"
    assert not run({"font.py": f"DATA = '{bytes_}'\n"}).evidence
    for text in (letters, f"key{letters}", f"a\\n{letters}", f"{letters}{'wJalrXUtnFEMIK7MDENGbPxRfiCY'}"):
        found = [item.rule for item in run({"app.py": f"x = '{text}'\n"}).evidence]
        assert "aws-access-key" in found, text


@pytest.mark.parametrize(
    ("url", "severity"),
    [
        ("https://{token}:x-" + "access-token@git.example.com/a.git", Severity.LOW),
        ("https://<TOKEN>:x-" + "oauth-basic@git.example.com/a.git", Severity.LOW),
        ("https://${GIT_TOKEN}:x-" + "oauth-basic@git.example.com/a.git", Severity.LOW),
        ("https://YOUR_TOKEN:x-" + "oauth-basic@git.example.com/a.git", Severity.LOW),
        ("https://9f86d081884c7d65:x-" + "oauth-basic@git.example.com/a.git", Severity.HIGH),
        ("https://{token}:Xk93kd" + "9fj3Qz@git.example.com/a.git", Severity.HIGH),
    ],
)
def test_a_fixed_word_for_a_password_is_low_where_the_token_before_it_is_open(
    url: str, severity: Severity
) -> None:
    assert only(run({"app.py": f"x = '{url}'\n"})).severity is severity


@pytest.mark.parametrize("body", ["MIIEpAIBAAKCAQEAn8", "b3BlbnNzaC1rZXk", "MIIEowIBAAKCAQEA...", "A" * 64])
def test_a_private_key_with_a_short_body_is_high(body: str) -> None:
    begin, end = "-----BEGIN OPENSSH PRIVATE KEY" + "-----", "-----END OPENSSH PRIVATE KEY" + "-----"
    assert only(run({"deploy/id_rsa": f"{begin}\n{body}\n{end}\n"})).severity is Severity.HIGH
    code = f"if text.startswith('{begin}'):\n    continue\nraise KeyError(text)\n"
    assert only(run({"app.py": code})).severity is Severity.LOW


@pytest.mark.parametrize(
    ("path", "host", "severity"),
    [
        ("app.py", "db.example.com", Severity.HIGH),
        ("app.py", "localhost", Severity.LOW),
        ("compose.yml", "postgres", Severity.LOW),
        ("tests/app.py", "db.example.com", Severity.MEDIUM),
    ],
)
def test_a_url_with_a_password_is_rated_by_place_and_host(path: str, host: str, severity: Severity) -> None:
    item = only(run({path: "url = 'postgres://app:" + f"jk29Xmq81p@{host}:5432/app'\n"}))
    assert (item.rule, item.severity) == ("basic-auth-url", severity)
    assert "jk29Xmq81p" not in repr(item)


@pytest.mark.parametrize(
    "text",
    ["x = '{}'  # pragma: allowlist secret\n", "# pragma: allowlist nextline secret\nx = '{}'\n"],
)
def test_an_inline_ignore_changes_nothing(text: str) -> None:
    assert only(run({"a.py": text.format(GITHUB)})).rule == "github-token"


def test_config_files_of_the_change_change_nothing() -> None:
    baseline = '{"version": "1.5.0", "plugins_used": [], "filters_used": [], "results": {}}\n'
    assert only(run({".secrets.baseline": baseline, "a.py": f"x = f('{GITHUB}')\n"})).rule == "github-token"


@pytest.mark.parametrize("odd", ["\x0c", "\x85", "\u2028", "\r", "\x0b", "a\rb", "\x1c", "\ufeff"])
def test_line_numbers_are_ours(odd: str) -> None:
    item = only(run({"a.txt": f"{odd}\n{odd} {GITHUB} {odd}\n"}))
    assert item.location is not None and item.location.start_line == 2


def test_a_token_deep_in_a_long_line_is_found() -> None:
    text = "x = 1;" * 1_700 + f"t('{GITHUB}')" + ";y = 2" * 1_000
    item = only(run({"dist/app.min.js": text}, excluded=("dist/app.min.js",)))
    assert item.rule == "github-token"
    assert GITHUB not in repr(item)


def test_invalid_utf8_hides_nothing() -> None:
    assert only(run({"a.txt": b"\xff\xfd " + GITHUB.encode() + b"\n"})).rule == "github-token"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_other_encodings_with_a_mark_are_read_and_masked_whole(encoding: str) -> None:
    item = only(run({"a.txt": f"a = 1\nx = '{GITHUB}'\n".encode(encoding)}))
    assert (item.rule, item.location and item.location.start_line) == ("github-token", 2)
    assert item.masks == ((2, 0, -1),)


def test_every_detector_has_a_row_in_the_table() -> None:
    from reviewbot.evidence.secret_program import load_detectors

    known, guesses = load_detectors(".tf")
    assert {detector.secret_type for detector in (*known, *guesses)} == set(KINDS)


def test_a_link_target_is_one_line_of_text() -> None:
    blobs: Blobs = {}
    link = added_file("link", f"/x/{GITHUB}", blobs, mode="120000")
    assert only(run_analyzers(change_set(link), blobs.__getitem__)).rule == "github-token"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "    for secrets: `python -I x`"),
        ("a.md", "The secret: `correct-horse-battery`"),
        ("a.py", "# the password = 'correct-horse-battery' is only an example here"),
        ("a.yml", "# secret: this holds what the other service wants to see"),
    ],
)
def test_a_sentence_about_a_password_is_counted_and_not_reported(path: str, line: str) -> None:
    found = run({path: f"{line}\n{line}\n"})
    assert found.evidence == ()
    assert [(item.rule, item.path) for item in found.rejected] == [("detect-secrets/secret-keyword", path)]
    assert found.rejected[0].why.startswith("2 lines read like a sentence")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.js", "export const password = `correct-horse-battery`;"),
        ("a.py", "# password = 'correct-horse-battery'"),
        ("a.py", "password = 'correct horse battery staple and four more words'"),
    ],
)
def test_a_setting_is_no_sentence(path: str, line: str) -> None:
    assert only(run({path: f"{line}\n"})).rule == "secret-keyword"


@pytest.mark.parametrize("unit", ["/", "+a", "eyJ", "sk-A", "://a:", "a=", "'\"", "//a/:_authToken=", "A1"])
def test_a_hostile_long_line_ends_in_time(unit: str) -> None:
    begin = "-----BEGIN RSA " + "PRIVATE KEY-----"
    line = (unit * 30_000)[:30_000]
    started = time.monotonic()
    run({"a.txt": f"{begin}{line}\n{line}!\n{line}\n"})
    assert time.monotonic() - started < 15


def test_a_line_that_takes_too_long_fails_its_file_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reviewbot.evidence.secrets.SECONDS_PER_FILE", 1)
    changes, read_blob = whole_files({"a.txt": "sk-" * 3_000_000, "b.txt": f"{GITHUB}\n"})
    found = run_analyzers(changes, read_blob, names=["detect-secrets"])
    assert set(found.failed) == {"a.txt"}
    assert [item.location and item.location.path for item in found.evidence] == ["b.txt"]


def test_a_file_full_of_tokens_takes_seconds() -> None:
    rows = "".join(f"x = 'ghp_{letters(36)}'\n" for _ in range(5_000))
    started = time.monotonic()
    assert len(run({"a.txt": rows}).evidence) == 5_000
    assert time.monotonic() - started < 30


def changed(path: str, head: str, *added: tuple[int, int]) -> AnalyzerRun:
    blobs: Blobs = {}
    sha = store(blobs, head.encode())
    change = FileChange(path, None, ChangeStatus.MODIFIED, "100644", "100644", sha, sha, 1, added=added)
    found = run_analyzers(change_set(change), blobs.__getitem__, names=["detect-secrets"])
    assert found.failed == {}
    return found


def test_known_formats_on_unchanged_lines_are_masked_and_not_reported() -> None:
    head = f"a = '{GITHUB}'\nb = 2\nc = '{KNOWN['slack-token']}'\n{KEY}\nz = 1\n"
    found = changed("a.py", head, (2, 2))
    assert found.evidence == ()
    text = "\n".join(shown(found, "a.py", head))
    assert not any(secret in text for secret in (GITHUB, KNOWN["slack-token"], *KEY_BODY))
    assert "b = 2" in text and "z = 1" in text and "a = 'ghp_********'" in text


def test_the_rest_of_a_key_before_its_end_line_is_masked() -> None:
    text = KEY.replace("\n-----END", "\nQz7tail==-----END") + "\n"
    assert "Qz7tail" not in "".join(shown(run({"id_rsa": text}), "id_rsa", text))


def test_a_new_body_below_an_old_first_line_is_a_new_key() -> None:
    item = only(changed("id_rsa", f"{KEY}\n", (3, 4)))
    assert (item.rule, item.severity) == ("private-key", Severity.HIGH)
    assert item.location is not None and item.location.start_line == 3


def test_a_guessed_value_is_masked_where_it_stands_without_its_name() -> None:
    head = "password = 'correct-horse-battery'\nlogin('me', 'correct-horse-battery')\n"
    assert "horse" not in "".join(shown(changed("a.py", head, (1, 1)), "a.py", head))


def test_unchanged_lines_that_the_time_does_not_suffice_for_are_hidden_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reviewbot.evidence.secrets.SECONDS_PER_FILE", 1)
    head = f"a = 1\n{'sk-' * 3_000_000}\nb = '{GITHUB}'\nplain\n"
    found = changed("a.py", head, (1, 1))
    assert found.masks["a.py"] == ((2, 0, -1), (3, 0, -1))


def test_a_line_with_bytes_that_are_no_text_is_masked_to_its_end() -> None:
    found = run({"a.txt": b"\xe2\x82 x = '" + GITHUB.encode() + b"'\n"})
    assert only(found).masks == ((1, 0, -1),)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (".env", "AWS_SECRET_ACCESS_KEY={}"),
        (".aws/credentials", "aws_secret_access_key = {}"),
        (".github/workflows/ci.yml", "          AWS_SECRET_ACCESS_KEY: {}"),
        ("action.yml", "          aws-secret-access-key: '{}'"),
        ("compose.yml", "      - AWS_SECRET_ACCESS_KEY={}"),
        ("Dockerfile", "ENV AWS_SECRET_ACCESS_KEY {}"),
        ("main.tf", '  secret_key = "{}"'),
        ("keys.json", '  "SecretAccessKey": "{}",'),
    ],
)
def test_an_aws_secret_key_is_known_by_its_name_with_or_without_quotes(path: str, line: str) -> None:
    item = only(run({path: line.format(AWS_SECRET) + "\n"}))
    assert item.rule in ("aws-secret-key", "aws-access-key")  # detect-secrets' own, where it stands in quotes
    assert item.severity is Severity.HIGH
    assert not any(
        AWS_SECRET[4:] in row
        for row in shown(run({path: line.format(AWS_SECRET)}), path, line.format(AWS_SECRET))
    )


@pytest.mark.parametrize(
    "value", [letters(40, HEX), AWS_SECRET + "x", "${{ secrets.AWS_SECRET_ACCESS_KEY }}"]
)
def test_what_has_not_the_form_of_an_aws_secret_key_is_none(value: str) -> None:
    found = run({"a.yml": f"AWS_SECRET_ACCESS_KEY: {value}\n"})
    assert "aws-secret-key" not in {item.rule for item in found.evidence}


STRONG, SIMPLE = "q7Lm2xTz9" + "RkW", "postgres"


@pytest.mark.parametrize(
    ("path", "url", "severity"),
    [
        ("app.py", "redis://:{strong}@cache.example.com:6379/0", "high"),
        ("app.py", "redis://:{strong}@cache:6379/0", "high"),
        ("app.py", "postgresql://app:{strong}@db:5432/app", "high"),
        ("compose.prod.yml", "postgresql://app:{strong}@db:5432/app", "high"),
        ("app.py", "amqp://app:q7%4Cm2xTz9%52kW@mq/x", "high"),
        ("app.py", "postgresql://app:%70ass%77ord12X@db/x", "low"),
        ("app.py", "postgresql://postgres:{simple}@db:5432/app", "low"),
        ("app.py", "postgresql://app:{strong}@127.0.0.1/app", "low"),
        ("docker-compose.dev.yml", "postgresql://app:{strong}@db:5432/app", "low"),
        (".env.example", "postgresql://app:{strong}@db:5432/app", "low"),
        ("tests/conf.py", "postgresql://app:{strong}@db:5432/app", "low"),
        ("app.py", "mongodb://app:mydatabase1@mongo-1,mongo2.prod.example.org/x", "high"),
        ("app.py", "mongodb://app:mydatabase1@mongo-1:27017,mongo2.example.org:27017/x", "high"),
        ("app.py", "mongodb://app:mydatabase1@localhost:1,db.example.org/x", "high"),
        ("app.py", "mongodb://app:mydatabase1@mongo-1:27017,mongo-2:27017/x", "low"),
        ("app.py", "mongodb://app:mydatabase1@localhost:1,127.0.0.1:2/x", "low"),
        ("app.py", "postgresql://app:{simple}@[::1]:5432/x", "low"),
        ("app.py", "postgresql://app:my-{strong}@db.example.org/x", "high"),
    ],
)
def test_a_connection_url_is_rated_by_password_host_and_place(path: str, url: str, severity: str) -> None:
    text = "x = '" + url.format(strong=STRONG, simple=SIMPLE) + "'\n"
    found = run({path: text})
    assert (only(found).rule, only(found).severity.value) == ("basic-auth-url", severity)
    assert STRONG not in "".join(shown(found, path, text))


@pytest.mark.parametrize(
    ("password", "random"),
    [
        ("jk29Xmq81p", True),
        ("xk29mq81pz4t", True),
        ("short1A", False),
        ("mydatabase1", False),
        ("my-app-db-word", False),
    ],
)
def test_a_random_password_has_mixed_classes_and_no_common_word(password: str, random: bool) -> None:
    assert is_random(password) is random


def key_lines(*before: str) -> str:
    begin, *rest = KEY.split("\n")
    return "\n".join([begin, *before, *rest])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("id_rsa", key_lines(*[""] * 300)),
        (
            "id_rsa",
            key_lines("Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF", ""),
        ),
        ("id_rsa", key_lines("this line is not part of the key at all", "")),
        ("a.json", '{"private_key": "' + key_lines("", "", "").replace("\n", "\\n") + '"}'),
        ("a.json", '{"private_key": "' + key_lines("Version: 1", "").replace("\n", "\\\\n") + '"}'),
        ("a.yml", "key: |\n" + "\n".join(f"    {line}" for line in key_lines("").split("\n"))),
        ("a.js", "k = [\n" + "".join(f"  '{line}',\n" for line in KEY.split("\n")) + "].join('\\n')"),
        ("a.java", "".join(f'  + "{line}\\n"\n' for line in key_lines("").split("\n"))),
        ("a.pem", KEY.replace("RSA ", "ENCRYPTED ")),
    ],
)
def test_a_private_key_is_a_key_whatever_stands_before_its_body(path: str, text: str) -> None:
    found = run({path: text + "\n"})
    first = found.evidence[0]  # quoted lines of the body are random strings, too
    assert (first.rule, first.severity) == ("private-key", Severity.HIGH)
    assert not any(part in "\n".join(shown(found, path, text)) for part in KEY_BODY)


@pytest.mark.parametrize(
    "below",
    [
        "",
        "\n\n\n",
        "\n    return parse(text)\nsha = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'\n",
        "\n...\n-----END RSA KEY-----",
    ],
)
def test_a_private_keys_first_line_with_code_or_nothing_below_is_low(below: str) -> None:
    begin = KEY.split("\n", maxsplit=1)[0]
    assert run({"a.txt": f"{begin}{below}"}).evidence[0].severity is Severity.LOW


def test_a_pem_in_base64_is_a_private_key_and_a_certificate_is_none() -> None:
    encoded = base64.b64encode(KEY.encode()).decode()
    wrapped = "\n  ".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))
    for text in (f"key: {encoded}\n", f"key: |\n  {wrapped}\n"):
        found = run({"a.yml": text})
        assert (only(found).rule, only(found).severity) == ("encoded-private-key", Severity.HIGH)
        left = "".join(shown(found, "a.yml", text))
        assert not any(encoded[n : n + 20] in left for n in range(0, len(encoded) - 20, 10))
    certificate = base64.b64encode(KEY.replace("RSA " + "PRIVATE KEY", "CERTIFICATE").encode()).decode()
    assert "encoded-private-key" not in {
        item.rule for item in run({"a.yml": f"ca: {certificate}\n"}).evidence
    }


def test_a_web_hooks_secret_is_medium() -> None:
    item = only(run({"a.py": f"x = 'whsec_{letters(32)}'\n"}))
    assert (item.rule, item.severity) == ("webhook-secret", Severity.MEDIUM)


def test_a_long_live_key_is_masked_to_its_end() -> None:
    value = "sk_live_" + letters(99)
    text = f"x = '{value}'\n"
    assert shown(run({"a.py": text}), "a.py", text)[0] == "x = 'sk_l********'"


def test_a_secret_longer_than_a_window_is_masked_to_its_end() -> None:
    value = "sk-proj-" + letters(9_000)
    text = f"x = '{value}'\n"
    assert shown(run({"a.py": text}), "a.py", text)[0] == "x = 'sk-p********'"


@pytest.mark.parametrize(
    "below",
    ["+" * 4_000 + "!", "A+" * 2_000 + "!", "/" * 30_000, "\\n" * 20_000, "a1" * 3 + " " * 30_000 + "!"],
)
def test_hostile_lines_below_a_keys_first_one_end_in_time(below: str) -> None:
    begin = KEY.split("\n", maxsplit=1)[0]
    started = time.monotonic()
    run({"a.txt": f"{begin}\n{below}\n" * 5})
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    "line",
    [
        "BEGIN RSA " + "PRIVATE KEY",
        "PuTTY-User-Key" + "-File-2: x",
        "LS0tLS1CRUdJTi" + "BQ" * 30,
        "x = '{token}'",
    ],
)
def test_thousands_of_hits_end_in_time(line: str) -> None:
    rows = "".join(line.format(token=f"ghp_{letters(36)}") + "\n" for _ in range(6_000))
    started = time.monotonic()
    run({"a.txt": rows})
    assert time.monotonic() - started < 90


@pytest.mark.parametrize("escape", ["\\n", "\\r", "\\t", "\\r\\n"])
def test_a_token_behind_an_escaped_line_end_is_found(escape: str) -> None:
    item = only(run({"app.py": 'x = "a' + escape + "AIza" + letters(35) + '"\n'}))
    assert (item.rule, item.severity) == ("google-api-key", Severity.HIGH)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("my-Xk93kd9fj3Qz", True),
        ("your_xk93kd9fjz", True),
        ("my-XkdfQzwRtkEw", True),
        ("my-db-secret", False),
        ("YOUR_API_KEY", False),
        ("your-password-here", False),
    ],
)
def test_a_placeholder_with_a_prefix_has_no_digits_and_one_case(value: str, found: bool) -> None:
    assert bool(run({"app.py": f"password = '{value}'\n"}).evidence) is found
