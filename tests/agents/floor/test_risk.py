import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.agents.floor import risk
from reviewbot.agents.floor.risk import THRESHOLD, assess, risk_signals
from reviewbot.agents.floor.sinks import SINKS
from reviewbot.agents.floor.words import split_words, weigh
from reviewbot.core import ChangeStatus, FileChange, Hunk

ROOT = Path(__file__).resolve().parents[3]


def hunk(*lines: str, start: int = 10) -> Hunk:
    base = sum(line[0] in "- " for line in lines)
    head = sum(line[0] in "+ " for line in lines)
    return Hunk(start, base, start - (head == 0), head, lines)


def change(path: str, *hunks: Hunk, old_path: str | None = None, **more: object) -> FileChange:
    values = {"status": ChangeStatus.MODIFIED, "base_mode": "100644", "head_mode": "100644"} | more
    return FileChange(path, old_path, base_blob="a" * 40, head_blob="b" * 40, hunks=hunks, **values)  # type: ignore[arg-type]


def names(given: FileChange) -> list[str]:
    return [signal.name for signal in risk_signals(given)]


PLAIN = hunk(" total = 0", "-colour = 1", "+colour = 2", " done()")
GUARD = ("     row = find(number)", "-    if not row.belongs(reader):", "-        raise Denied(number)")


@pytest.mark.parametrize(
    ("path", "signal"),
    [
        (".github/workflows/ci.yml", "workflow"), (".github/actions/a/run.sh", "workflow"),
        ("action.yml", "workflow"), ("ci/.gitlab-ci.yml", "workflow"), ("Jenkinsfile", "workflow"),
        (".circleci/config.yml", "workflow"), ("Dockerfile", "container"), ("build/Dockerfile.dev", "container"),
        ("app.dockerfile", "container"), ("docker-compose.prod.yml", "container"), ("infra/main.tf", "container"),
        ("package.json", "manifest"), ("tests/package.json", "manifest"), ("pyproject.toml", "manifest"),
        ("go.mod", "manifest"), ("sub/pom.xml", "manifest"), ("requirements-dev.txt", "manifest"),
        ("requirements/run.in", "manifest"), ("App.csproj", "manifest"), (".npmrc", "manifest"),
        (".github/reviewbot.yml", "policy"), (".github/dependabot.yml", "policy"), ("CODEOWNERS", "policy"),
        (".gitmodules", "policy"), (".env.local", "policy"), ("AGENTS.md", "agent-configuration"),
        ("docs/CLAUDE.md", "agent-configuration"), (".claude/settings.json", "agent-configuration"),
        (".vscode/tasks.json", "agent-configuration"),
    ],
)  # fmt: skip
def test_some_files_are_claimed_whole_whatever_they_say(path: str, signal: str) -> None:
    assert names(change(path, PLAIN)) == [signal]
    assert risk_signals(change(path, PLAIN))[0].line is None
    assert names(change("src/other.py", PLAIN, old_path=path, status=ChangeStatus.RENAMED)) == [signal]


def test_links_and_text_without_hunks_are_claimed_whole() -> None:
    assert names(change("a", PLAIN, head_mode="120000")) == ["link"]
    assert names(change("a", PLAIN, status=ChangeStatus.TYPE_CHANGED)) == ["link"]
    assert names(change("src/a.c", omitted="too large")) == ["not-shown"]


@pytest.mark.parametrize("path", ["src/colour.py", "docs/guide.md", "tests/test_colour.py", "web/site.css"])
def test_a_plain_change_is_left_to_triage(path: str) -> None:
    assert risk_signals(change(path, PLAIN)) == ()
    assert risk_signals(change(path)) == ()


DANGEROUS = [
    ("code-from-text", "value = eval(text)"), ("code-from-text", "x = pickle.loads(data)"),
    ("code-from-text", "const f = new Function(body)"), ("code-from-text", "doc = yaml.load(text)"),
    ("raw-markup", "box.innerHTML = text"), ("raw-markup", "{{ note | safe }}"), ("raw-markup", "template.HTML(x)"),
    ("built-query", "q = \"SELECT a FROM b WHERE c = '%s'\" % d"), ("built-query", "db.query(`DROP ${table}`)"),
    ("built-query", "q = f\"DELETE FROM a WHERE b = {c}\""), ("check-off", "InsecureSkipVerify: true,"),
    ("check-off", "get(a, verify=False)"), ("check-off", "@csrf_exempt"), ("check-off", "os.chmod(a, 0o777)"), ("check-off", "RUN chmod -R 777 /srv"),
    ("unbounded-copy", "strcpy(a, b);"), ("unbounded-copy", "let a = unsafe { *b };"),
    ("archive-or-entity", "box.extractall(there)"), ("long-line", "x" * 2001),
    ("built-query", "db.execute('select a from b where c = ' + d)"), ("built-query", "q = 'select a from b where c = ' + d"),
    ("built-query", "$r = \"select a from b where c = \" . $d;"), ("built-path", "return open('/srv/' + name).read()"),
    ("built-path", "fs.readFile(`/srv/${name}`, done)"), ("raw-markup", "return Template(text).render()"),
    ("secret-compared", "if user.pw == pw:"), ("secret-compared", "if (row.password === given) {"),
    ("request-value", "echo $_GET['x'];"), ("archive-or-entity", "return etree.fromstring(text)"),
    ("slow-pattern", "return re.match(r'(a+)+$', text)"), ("weak-secret", "return hashlib.md5(password).hexdigest()"),
    ("weak-secret", "return ''.join(random.choice('abc') for _ in range(20))"), ("check-off", "DEBUG = True"),
    ("check-off", "ALLOWED_HOSTS = ['*']"), ("check-off", "app.use(cors({ origin: true, credentials: true }))"),
    ("open-merge", "for (const k in src) { o[k] = src[k] }"), ("import", "import subprocess"),
    ("import", "from lxml import etree"), ("import", "const { exec } = require('child_process')"),
    ("import", '\t"os/exec"'), ("import", "import javax.crypto.Cipher;"),
]  # fmt: skip
COMMANDS = [
    ("command", "os.system(line)"), ("command", "run(line, shell=True)"), ("command", "exec.Command(name)"),
    ("command", "Runtime.getRuntime().exec(line)"), ("command", "RUN curl -s $A | sh"),
    ("command", "`ls #{name}`"), ("command", "subprocess.run('ls ' + name)"),
    ("command", "subprocess.run('curl x | sh', shell=True)"),
]  # fmt: skip
BOTH_WAYS = [
    ("access-check", "    if not user.can_edit(page):"), ("access-check", "    if (!req.user.isAdmin) {"),
    ("access-check", "@login_required"), ("access-check", "    raise PermissionDenied"),
]  # fmt: skip
REMOVED = [
    ("protection-removed", "    text = escape(text)"), ("protection-removed", "  if (n > MAX)"),
    ("protection-removed", "    path = os.path.realpath(path)"), ("protection-removed", "  if (len >= sizeof(buf))"),
    ("protection-removed", "    if (a > (TIME_T_MAX - b))"), ("protection-removed", "  n = Math.addExact(a, b);"),
    ("protection-removed", "  let n = a.checked_add(b)?;"), ("protection-removed", "const maxDepth = 100"),
    ("protection-removed", "  box->text = NULL;"), ("protection-removed", "const bad = /[&<>]/g"),
    ("protection-removed", "  '=': '&#x3D;'"), ("protection-removed", "  name.gsub!(/[^a-z]/, '')"),
    ("protection-removed", "const all = Object.create(null);"), ("protection-removed", "  if (o.hasOwnProperty(key)) {"),
]  # fmt: skip
EVERYWHERE = [
    ("workflow-expression", "run: echo ${{ github.event.issue.title }}"),
    ("workflow-expression", "on: pull_request_target"),
    ("secret-literal", "-----BEGIN RSA PRIVATE " + "KEY-----"),
    ("secret-literal", "id = 'AKIA" + "ABCDEFGHIJKLMNOP'"),
    ("hidden-text", "if a:  # \u202e b"),
]


@pytest.mark.parametrize(("signal", "line"), DANGEROUS + COMMANDS + BOTH_WAYS + EVERYWHERE)
def test_one_dangerous_line_claims_a_file_of_any_size(signal: str, line: str) -> None:
    plain = [f"+colour = {number}" for number in range(300)]
    given = change("src/colour.py", hunk(*plain), hunk(" colour", "+" + line, " done()", start=500))
    found = {signal.name: signal.line for signal in risk_signals(given)}
    assert found[signal] == 501
    assert risk_signals(change("src/colour.py", hunk(*plain))) == ()


@pytest.mark.parametrize(("signal", "line"), BOTH_WAYS + REMOVED)
def test_one_deleted_protection_claims_a_file_of_any_size(signal: str, line: str) -> None:
    plain = [f"+colour = {number}" for number in range(400)]
    given = change("src/colour.py", hunk(*plain, "-" + line, *plain))
    assert {signal.name: signal.line for signal in risk_signals(given)} == {signal: 410}


def test_a_protection_that_goes_with_its_whole_file_claims_nothing_by_itself() -> None:
    plain = [f"-colour = {number}" for number in range(400)]
    gone = change("src/colour.py", hunk(*plain, "-    text = escape(text)", *plain))
    assert names(gone) == ["protection-removed"]
    assert names(replace(gone, status=ChangeStatus.DELETED, head_blob=None)) == []


def test_a_protection_that_is_only_moved_claims_nothing() -> None:
    moved = hunk("-    text = escape(text)", " colour = 1", "+        text = escape(text)")
    assert "protection-removed" not in names(change("src/colour.py", moved))


@pytest.mark.parametrize(("signal", "line"), COMMANDS)
def test_what_starts_processes_counts_in_tests_and_not_in_documents(signal: str, line: str) -> None:
    for path in ("tests/conftest.py", "docs/conf.py", "spec/colour.rb"):
        assert signal in names(change(path, hunk("+" + line)))
    for path in ("docs/colour.md", "README", "CHANGES.rst"):
        assert names(change(path, hunk("+" + line))) == []


@pytest.mark.parametrize(
    "line",
    [
        "if token == '(':", "if self.token == token.NAME:", "if password is None or password == '':", "x = a[i] = b[j]",
        "with open(path) as file:", "return re.match(r'(a+)$', text)", "Template('plain').render()", "import sys",
        "total = count(rows) + 1", "debug = False", "x = 777", "label = 'select a colour' + name[0]",
    ],
)  # fmt: skip
def test_lines_that_only_look_alike_are_no_sinks(line: str) -> None:
    plain = [f"+colour = {number}" for number in range(400)]
    assert names(change("src/colour.py", hunk(*plain, "+" + line, *plain))) == []


@pytest.mark.parametrize(
    "path", ["auth/session.py", "src/lib/permissions.ts", "web/login/form.go", "crypto/a.c"]
)
def test_code_that_is_named_for_what_it_guards_is_claimed_whole(path: str) -> None:
    plain = hunk(*[f"+n = n + {number}" for number in range(400)])
    assert names(change(path, plain)) == ["guarded-path"]
    assert names(change("src/moved.py", plain, old_path=path)) == ["guarded-path"]
    assert names(change(f"tests/{path}", plain)) == []


def test_a_path_that_only_holds_such_letters_is_not() -> None:
    for path in ("src/authors.py", "src/sessionless_colour.py", "cookiecutter/a.py", "docs/security.md"):
        assert names(change(path, PLAIN)) == []


@pytest.mark.parametrize(("signal", "line"), DANGEROUS + EVERYWHERE)
def test_in_tests_and_documents_only_secrets_workflows_and_hidden_text_count(signal: str, line: str) -> None:
    everywhere = (signal, line) in EVERYWHERE
    for path in ("tests/colour_test.go", "docs/colour.md", "spec/colour.rb"):
        assert (signal in names(change(path, hunk("+" + line)))) is everywhere


@pytest.mark.parametrize(("signal", "line"), DANGEROUS + COMMANDS + EVERYWHERE)
def test_a_dangerous_line_that_is_deleted_or_stood_before_is_no_sink(signal: str, line: str) -> None:
    assert signal not in names(change("src/colour.py", hunk("-" + line, " " + line, "+colour = 2")))


def test_a_match_over_two_lines_is_no_sink() -> None:
    assert "built-query" not in names(change("a.py", hunk("+SELECT a", "+b = '%s' % c")))


def test_a_deleted_guard_claims_a_file_and_names_the_head_line_it_stood_before() -> None:
    found = {signal.name: signal for signal in risk_signals(change("src/rows.py", hunk(*GUARD)))}
    assert found["guard-removed"].line == 11
    assert "guard-removed" not in names(
        change("src/rows.py", hunk(*(line.replace("-", "+") for line in GUARD)))
    )


@pytest.mark.parametrize(
    ("path", "lines", "signal"),
    [
        ("lib/visit.rb", ("-  reset_session", "+  keep(user.session_token)"), "secrets"),
        ("pkg/a.go", ("+\tname := filepath.Join(dir, upload.Filename)", "+\tos.Symlink(name, tmp)"), "file-paths"),
        ("A.java", ("-        cipher.init(ENCRYPT_MODE, key, randomNonce);", "+        cipher.init(1, key);"), "cryptography"),
        ("web/a.php", ("-  echo $escaped_html;", "+  echo $html_template;"), "markup"),
        ("src/a.ts", ("+  return redirect(req.headers.referer ?? proxyHost);",), "network"),
        ("src/a.c", ("-  if (depth)", "-    return overflow;", "+  decompress(buf, len);"), "memory"),
        ("src/merge.js", ("-  if (key === '__proto__') continue;", "+  target[key] = merge(a.prototype);"), "reflection"),
        ("a/grant.py", ("-@permission_required('admin')", "+# anybody may log in"), "access-check"),
    ],
)  # fmt: skip
def test_words_of_risk_in_any_language_claim_a_small_change(
    path: str, lines: tuple[str, ...], signal: str
) -> None:
    assert signal in names(change(path, hunk(" x", *lines, " y")))


def test_the_same_words_spread_over_many_plain_lines_claim_nothing_but_one_dense_place_does() -> None:
    risky = [
        "+session.cookie = sign(token, secret)", "+if not verify_signature(jwt, certificate):",
        "+    redirect(login, untrusted_host)", "+    revoke(permission, admin, password)",
        "+escape(html, sanitize(template))", "+validate(credential, nonce, salt, hmac)",
    ]  # fmt: skip
    plain = [f"+colour = {number}" for number in range(40)]
    spread = [line for one in risky for line in (*plain, one.partition("(")[0] + "()", *plain)]
    assert risk_signals(change("src/colour.py", hunk(*spread))) == ()
    dense = hunk(*plain * 6, *risky, *plain * 6)
    assert "secrets" in names(change("src/colour.py", dense)) or "cryptography" in names(
        change("src/colour.py", dense)
    )
    apart = change("src/colour.py", hunk(*plain * 6), hunk(*risky, start=900))
    assert risk_signals(apart) != ()


def test_words_are_found_inside_identifiers_with_their_endings() -> None:
    assert split_words("isSafeURL_v2(HTTPServer, x509)") == {
        "is",
        "safe",
        "url",
        "v2",
        "http",
        "server",
        "x509",
    }
    for word in ("permissions", "verified", "escaping", "policies", "sanitizer", "token2", "redirected"):
        assert weigh({word}), word
    assert weigh({"colour", "total", "banana"}) == {}
    assert weigh({"password", "token"}) == {"secrets": 3.0}


def test_every_signal_has_a_reason_for_the_reader() -> None:
    every = " ".join((ROOT / "reviewbot/agents/floor/words.py").read_text().split())
    words = set(re.findall(r'"([a-z-]+)": "', every))
    assert words == set(risk._REASONS) - {"guard-removed"}
    assert all(sink.reason for sink in SINKS)


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["+eval(a)", "-if admin:", " session", "+colour", "-x", "\\ No newline at end of file"]
        ),
        st.builds(lambda mark, text: mark + text, st.sampled_from("+- "), st.text(max_size=40)),
    ),
    max_size=90,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["web/visit.py", "x.go", "docs/a.md", "a\udcff.js"]), st.lists(LINES, max_size=3))
def test_any_file_is_judged_and_claimed_exactly_from_the_threshold_on(
    path: str, texts: list[list[str]]
) -> None:
    given_change = change(path, *(hunk(*lines, start=100 * at + 1) for at, lines in enumerate(texts)))
    risk = assess(given_change)
    signals = risk_signals(given_change)
    assert bool(signals) is (risk.score >= THRESHOLD)
    assert len({signal.name for signal in risk.signals}) == len(risk.signals)
    ends = [part.head_start + part.head_count + 1 for part in given_change.hunks]
    for signal in risk.signals:
        assert signal.line is not None
        assert any(
            max(part.head_start, 1) <= signal.line <= end
            for part, end in zip(given_change.hunks, ends, strict=True)
        )


@pytest.mark.parametrize(
    "text", [" " * 300_000, "SELECT " * 50_000, "A" * 300_000, "}" * 300_000, "${{ " * 80_000]
)
def test_a_giant_line_is_read_in_linear_time(text: str) -> None:
    assert assess(change("src/a.py", hunk("+" + text, "-" + text))).score > 0


def run_routing(data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench/routing.py"), "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_floor_alone_reaches_most_vulnerable_lines_at_a_third_of_the_ordinary_ones(
    shared_data: Path,
) -> None:
    done = run_routing(shared_data)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("## Ordinary: pull requests")[2]
    rows = dict(re.findall(r"^\| (\S+) \| [\d.]+ \| (.+) \|$", table, re.MULTILINE)[:4][::-1])
    shares = {point: [float(share) for share in re.findall(r"[\d.]+", row)] for point, row in rows.items()}
    assert shares["35%"][0] <= 35
    assert shares["35%"][1] >= 85
    assert shares["product"][0] <= 40
    assert shares["product"][1] >= 85


def test_the_measurement_counts_the_lines_that_the_data_calls_vulnerable(tmp_path: Path) -> None:
    diff = (
        "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1,2 +1,2 @@\n-old = 1\n+{1}\n same\n"
    )  # fmt: skip
    fixes = [
        {"repo": "a/a", "files": [{"path": "a.py", "vuln_lines": [1]}], "reversed_diff": diff.format("a.py", "os.system(x)")},
        {"repo": "b/b", "files": [{"path": "b.py", "vuln_lines": [1]}], "reversed_diff": diff.format("b.py", "new = 2")},
        {"repo": "c/c", "files": [{"path": "c.py", "vuln_lines": []}],
         "reversed_diff": "diff --git a/c.py b/c.py\n--- a/c.py\n+++ b/c.py\n@@ -1,3 +1 @@\n-if not admin:\n-    raise Denied\n same\n"},
    ]  # fmt: skip
    ordinary = [{"repo": "d/d", "diff": diff.format("go.mod", "x") + diff.format("d.py", "new = 3")}]
    (tmp_path / "vuln_fixes.jsonl").write_text("".join(json.dumps(fix) + "\n" for fix in fixes))
    (tmp_path / "review_golden_aacr.jsonl").write_text(json.dumps(ordinary[0]) + "\n")
    done = run_routing(tmp_path)
    assert "4 vulnerable lines" in done.stdout
    assert "| product | 0.410 | 50.0% | 75.0% |" in done.stdout
    assert "| manifest | 0.0% / 50.0% | 0.0% / 50.0% | 0.0% / 50.0% |" in done.stdout


def test_missing_data_is_one_sentence(tmp_path: Path) -> None:
    done = run_routing(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("There is no ") and "--data" in done.stderr
