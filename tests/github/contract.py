"""GitHub's published contract: judges requests and answers, and fills answers up to what it requires."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from tests.contract.slice import read_openapi_slice

HOST = "https://api.github.com"
TIME = "2026-01-02T03:04:05Z"
_ERROR_SCHEMAS = {422: "validation-error"}


class Contract:
    """The OpenAPI slice. openapi-core decides; what it lets pass (unknown names) is checked here as well."""

    def __init__(self) -> None:
        from openapi_core import OpenAPI

        self._slice = read_openapi_slice()
        _allow_null(self._slice)
        self._api = OpenAPI.from_dict(self._slice)

    def request_problems(
        self, method: str, template: str, values: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> list[str]:
        """What is wrong with a request to an operation of the slice: sentences, none if all is well."""
        operation = self._operation(method, template)
        problems = [
            f"unknown query parameter {name!r}" for name in query if name not in self._query(operation)
        ]
        try:
            self._api.validate_request(_request(method, template, values, query, body))
        except Exception as error:
            return [*problems, *_sentences(error)]
        if body and "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            problems.extend(
                f"unknown property {name}" for name in self._unknown(schema, json.loads(body), "")
            )
        elif body:
            problems.append("a body where none is described")
        return problems

    def answer_problems(
        self, method: str, template: str, values: Mapping[str, str], status: int, data: bytes
    ) -> list[str]:
        """What is wrong with an answer of ours. An error that GitHub does not list has its general form."""
        from openapi_core.testing import MockResponse

        request = _request(method, template, values, {}, b"")
        if str(status) not in self._operation(method, template)["responses"]:
            if status < 400:
                return [f"status {status} is not described"]
            return self.schema_problems(_ERROR_SCHEMAS.get(status, "basic-error"), json.loads(data))
        try:
            self._api.validate_response(request, MockResponse(data=data, status_code=status))
        except Exception as error:
            return _sentences(error)
        return []

    def schema_problems(self, name: str, value: Any) -> list[str]:
        """Compare a value with one schema of the slice."""
        from openapi_schema_validator import OAS30Validator

        schema = {"$ref": f"#/components/schemas/{name}", "components": self._slice["components"]}
        return [each.message for each in OAS30Validator(schema).iter_errors(value)]

    def fill(self, name: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """``known`` plus the least value of each property that the schema ``name`` requires."""
        filled: dict[str, Any] = self._fill(self._slice["components"]["schemas"][name], known)
        return filled

    def _operation(self, method: str, template: str) -> Any:
        return self._slice["paths"][template][method.lower()]

    def _query(self, operation: Mapping[str, Any]) -> set[str]:
        parameters = (self._resolve(each) for each in operation.get("parameters", ()))
        return {each["name"] for each in parameters if each["in"] == "query"}

    def _resolve(self, node: Any) -> Any:
        while "$ref" in node:
            kind, name = node["$ref"].split("/")[-2:]
            node = self._slice["components"][kind][name]
        return node

    def _unknown(self, schema: Any, value: Any, path: str) -> Iterator[str]:
        schema = self._resolve(schema)
        if isinstance(value, list):
            for each in value:
                yield from self._unknown(schema.get("items", {}), each, f"{path}[]")
        elif isinstance(value, dict) and "properties" in schema:
            for name, each in value.items():
                if name in schema["properties"]:
                    yield from self._unknown(schema["properties"][name], each, f"{path}.{name}".lstrip("."))
                else:
                    yield f"{path}.{name}".lstrip(".")

    def _fill(self, schema: Any, known: Any) -> Any:
        schema = self._resolve(schema)
        for choice in ("allOf", "oneOf", "anyOf"):
            if choice in schema:
                return self._fill(schema[choice][0], known)
        if isinstance(known, Mapping):
            properties = schema.get("properties", {})
            names = [*dict.fromkeys([*schema.get("required", ()), *known])]
            return {
                name: self._fill(properties.get(name, {}), known.get(name, _ABSENT))
                if name in properties
                else known[name]
                for name in names
            }
        if isinstance(known, list):
            return [self._fill(schema.get("items", {}), each) for each in known]
        return self._least(schema) if known is _ABSENT else known

    def _least(self, schema: Any) -> Any:
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "string":
            return {"uri": f"{HOST}/", "date-time": TIME}.get(schema.get("format", ""), "")
        if kind == "object" or "properties" in schema:
            return self._fill(schema, {})
        return {"integer": 0, "number": 0, "boolean": False, "array": []}.get(kind)


_ABSENT = object()


@cache
def contract() -> Contract:
    """The one contract of a test process: loading takes a second."""
    return Contract()


def _allow_null(value: Any) -> None:
    """A nullable enum lists null as well (OpenAPI 3.0.3 proposal 2019-10-31); GitHub's do not, its API answers it."""
    if isinstance(value, dict):
        if value.get("nullable") is True and isinstance(value.get("enum"), list):
            value["enum"].append(None)
        for each in value.values():
            _allow_null(each)
    elif isinstance(value, list):
        for each in value:
            _allow_null(each)


def _request(
    method: str, template: str, values: Mapping[str, str], query: Mapping[str, str], body: bytes
) -> Any:
    from openapi_core.testing import MockRequest

    path = template
    for name, value in values.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return MockRequest(HOST, method, path, args=dict(query), data=body or None)


def _sentences(error: Exception) -> list[str]:
    """openapi-core's error with the schema errors below it."""
    below = getattr(error.__cause__, "schema_errors", None) or getattr(error, "schema_errors", None) or ()
    if below:
        return [f"{each.json_path}: {_short(each.message)}" for each in below]
    return [f"{type(error).__name__}: {_short(str(error))}"]


def _short(text: str) -> str:
    """The value comes first in these messages, what is wrong with it last."""
    return text if len(text) <= 300 else f"{text[:100]} ... {text[-200:]}"
