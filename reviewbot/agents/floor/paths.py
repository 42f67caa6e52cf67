"""What a path alone says: files that are always on the floor, and files in which words mean little."""

import re

_ALWAYS: tuple[tuple[str, str, str], ...] = (
    (
        "workflow",
        "it decides what a build runs, and with which rights",
        r"^\.github/(?:workflows|actions)/|(?:^|/)action\.ya?ml$|(?:^|/)\.?gitlab-ci[^/]*\.ya?ml$"
        r"|(?:^|/)Jenkinsfile[^/]*$|(?:^|/)azure-pipelines[^/]*\.ya?ml$|(?:^|/)bitbucket-pipelines\.ya?ml$"
        r"|(?:^|/)\.(?:circleci|buildkite|tekton|woodpecker)/|(?:^|/)\.(?:travis|drone|woodpecker|cirrus)\.ya?ml$"
        r"|(?:^|/)\.?appveyor\.ya?ml$|(?:^|/)cloudbuild\.ya?ml$",
    ),
    (
        "container",
        "it decides what an image or a deployment holds, and with which rights",
        r"(?:^|/)(?:Docker|Container)file[^/]*$|\.(?:docker|container)file$"
        r"|(?:^|/)(?:docker-)?compose[^/]*\.ya?ml$|(?:^|/)\.devcontainer(?:/|\.json$)"
        r"|\.(?:tf|tfvars|bicep)$|(?:^|/)(?:Chart|values|kustomization)\.ya?ml$|(?:^|/)charts/.*\.(?:ya?ml|tpl)$"
        r"|(?:^|/)(?:k8s|kubernetes|manifests)/.*\.ya?ml$|(?:^|/)sudoers(?:$|\.d/)|(?:^|/)nginx[^/]*\.conf$",
    ),
    (
        "manifest",
        "it decides which code of others is installed or run",
        r"(?:^|/)(?:package\.json|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|go\.(?:mod|work)|Cargo\.toml|build\.rs"
        r"|pom\.xml|(?:build|settings)\.gradle(?:\.kts)?|libs\.versions\.toml|build\.sbt|Gemfile|composer\.json"
        r"|mix\.exs|Package\.swift|Podfile|packages\.config|Directory\.(?:Packages|Build)\.props|conanfile\.(?:py|txt)"
        r"|vcpkg\.json|binding\.gyp|bunfig\.toml|deno\.jsonc?|environment\.ya?ml|pubspec\.yaml|MODULE\.bazel|WORKSPACE"
        r"|flake\.nix|\.npmrc|\.yarnrc(?:\.yml)?|\.pnpmfile\.cjs|pnpm-workspace\.yaml|pip\.conf|nuget\.config)$"
        r"|\.(?:gemspec|csproj|fsproj|vbproj)$|(?:^|/)(?:requirements|constraints)[^/]*\.(?:txt|in)$"
        r"|(?:^|/)requirements/[^/]+\.(?:txt|in)$",
    ),
    (
        "policy",
        "it decides what is checked, or who must agree",
        r"^\.github/[^/]+\.ya?ml$|(?:^|/)CODEOWNERS$|(?:^|/)\.?renovate[^/]*\.json5?$|(?:^|/)\.pre-commit-config\.ya?ml$"
        r"|(?:^|/)\.git(?:attributes|modules)$|(?:^|/)\.husky/|(?:^|/)\.env(?:\.[^/]*)?$|(?:^|/)\.htaccess$",
    ),
    (
        "agent-configuration",
        "it instructs coding agents or editors that run commands",
        r"(?:^|/)(?:AGENTS\.md|CLAUDE\.md|GEMINI\.md|\.mcp\.json|\.cursorrules|\.windsurfrules|\.clinerules"
        r"|\.aider\.conf\.yml)$|(?:^|/)\.(?:claude|cursor|codex|gemini|windsurf|clinerules|vscode)/"
        r"|^\.github/(?:copilot-instructions\.md|reviewbot-notes\.md|agents/|prompts/|instructions/)",
    ),
)
_PATTERNS = tuple((name, why, re.compile(pattern, re.IGNORECASE)) for name, why, pattern in _ALWAYS)
_QUIET = re.compile(
    r"(?:^|/)(?:tests?|testing|testdata|__tests__|__mocks__|spec|specs|e2e|fixtures|testutils?|docs?|documentation"
    r"|changelogs?|changelog\.d|newsfragments|examples|locales?|i18n|translations|\.changeset)/"
    r"|(?:^|/)(?:test_[^/]*|conftest\.py)$|[_.-](?:test|tests|spec|stories)\.[^/]+$|Tests?\.(?:java|kt|cs|scala|php)$"
    r"|(?:^|/)(?:CHANGELOG|CHANGES|NEWS|HISTORY|README|LICEN[CS]E|AUTHORS|CONTRIBUTORS|COPYING)[^/]*$"
    r"|\.(?:md|mdx|rst|adoc|txt|po|pot|snap|svg|csv|tsv|jsonl|ipynb|css|scss|less|lock)$",
    re.IGNORECASE,
)


_GUARDED = re.compile(
    r"(?:^|[/_.-])(?:auth[nz]?|authenticat(?:e|ion|or)|authori[sz](?:e|ation|er)|oauth2?|oidc|sso|saml|ldap|jwt"
    r"|log_?[io]n|sign_?[io]n|sessions?|cookies?|passwords?|credentials?|secrets|permissions?|polic(?:y|ies)|acl|rbac"
    r"|csrf|crypto(?:graphy)?|ciphers?|signing|security|saniti[sz](?:e|er|ers)|escaping|sandbox(?:ed)?|deseriali[sz]er?s?)"
    r"(?=[/_.-])[^/]*(?:/[^/]+)?$",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r"\.(?:md|mdx|rst|adoc|txt|po|pot|snap|svg|csv|tsv|jsonl|css|scss|less|lock)$"
    r"|(?:^|/)(?:CHANGELOG|CHANGES|NEWS|HISTORY|README|LICEN[CS]E|AUTHORS|CONTRIBUTORS|COPYING)[^/.]*$",
    re.IGNORECASE,
)


def always_claimed(path: str) -> tuple[str, str] | None:
    """The signal and the reason why every change to this file is read, or None."""
    return next(((name, why) for name, why, pattern in _PATTERNS if pattern.search(path)), None)


def is_quiet(path: str) -> bool:
    """Tests, documents, translations, style and data: words of risk are cheap there."""
    return bool(_QUIET.search(path))


def is_prose(path: str) -> bool:
    """Documents, translations, style and data: nothing in them is run."""
    return bool(_PROSE.search(path))


def is_guarded(path: str) -> bool:
    """Code that is named for what it guards: sign-in, sessions, permissions, cryptography, sandboxes."""
    return not is_quiet(path) and bool(_GUARDED.search(path))
