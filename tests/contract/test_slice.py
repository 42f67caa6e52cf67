"""The slices hold what is called, and nothing in them leads out of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import slice as slices


@pytest.fixture(autouse=True)
def _installed() -> None:
    reason = slices.missing_packages()
    if reason:
        pytest.skip(reason)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_the_openapi_slice_is_whole_and_small() -> None:
    cut = slices.read_openapi_slice()
    assert {path: tuple(methods) for path, methods in cut["paths"].items()} == dict(slices.OPERATIONS)
    for reference in references(cut):
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in cut["components"][kind]
    assert 50_000 < len(json.dumps(cut)) < 500_000
    assert '"example"' not in json.dumps(cut["components"]["schemas"]["issue-comment"])


def test_the_openapi_slice_is_a_valid_description() -> None:
    from openapi_spec_validator import validate

    validate(slices.read_openapi_slice())


def test_the_graphql_slice_is_a_valid_schema_with_the_fields_we_ask_for() -> None:
    from graphql import GraphQLObjectType, build_schema, validate_schema

    schema = build_schema(slices.read_graphql_slice())
    assert validate_schema(schema) == []
    comment = schema.get_type("IssueComment")
    assert isinstance(comment, GraphQLObjectType)
    assert {"databaseId", "body", "viewerDidAuthor", "author"} <= set(comment.fields)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(slices, "OCTOKIT", tmp_path)
    (tmp_path / "openapi").mkdir()
    (tmp_path / "openapi" / "package.json").write_text("{}")
    reason = slices.missing_packages()
    assert reason is not None
    assert "openapi," not in reason
    assert "graphql-schema" in reason


def test_a_slice_is_cut_once_and_each_time_where_no_cache_can_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cuts: list[Path] = []

    def cut(source: Path) -> str:
        cuts.append(source)
        return "type Query { a: Int }"

    monkeypatch.setattr(slices, "_cut_graphql", cut)
    (tmp_path / "file").write_text("no folder can stand below a file")
    for folder, expected in (("folder", 1), ("file", 3)):
        monkeypatch.setattr(slices, "NODE_MODULES", tmp_path / folder / "modules")
        monkeypatch.setattr(slices, "_temporary_folder", (tmp_path / folder / "temporary").absolute)
        assert slices.read_graphql_slice() == slices.read_graphql_slice() == "type Query { a: Int }"
        assert len(cuts) == expected
