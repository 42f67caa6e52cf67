"""Connections of GraphQL: pages of a list with cursors, and the bounds GitHub sets to them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST_NODES = 100
_Object = dict[str, Any]


def problem(kind: str, message: str) -> Exception:
    """An error as a field raises it; GitHub names its kind."""
    from graphql import GraphQLError

    return GraphQLError(message, extensions={"type": kind})


def connection(items: Sequence[Any], show: Callable[[Any], _Object]) -> Callable[..., _Object]:
    """Pages of a list. Cursors are positions, opaque to a client."""

    def answer(
        *,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        before: str | None = None,
        orderBy: Mapping[str, str] | None = None,  # noqa: N803
    ) -> _Object:
        _check_bounds(first, last)
        ordered = list(items)
        if orderBy is not None:
            ordered.sort(key=lambda each: each.updated_at, reverse=orderBy["direction"] == "DESC")
        start = int(after.removeprefix("cursor:")) if after else 0
        end = int(before.removeprefix("cursor:")) - 1 if before else len(ordered)
        if first is not None:
            end = min(end, start + first)
        elif last is not None:
            start = max(start, end - last)
        nodes = [show(each) for each in ordered[start:end]]
        edges = [{"cursor": f"cursor:{start + n}", "node": node} for n, node in enumerate(nodes, start=1)]
        return {
            "totalCount": len(ordered),
            "nodes": nodes,
            "edges": edges,
            "pageInfo": {
                "hasNextPage": end < len(ordered),
                "hasPreviousPage": start > 0,
                "startCursor": edges[0]["cursor"] if edges else None,
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
        }

    return answer


def _check_bounds(first: int | None, last: int | None) -> None:
    """https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api"""
    if first is None and last is None:
        raise problem(
            "MISSING_PAGINATION_BOUNDARIES",
            "You must provide a `first` or `last` value to paginate the connection.",
        )
    if max(first or 0, last or 0) > MOST_NODES:
        raise problem(
            "EXCESSIVE_PAGINATION",
            f"Requesting more records than the limit of {MOST_NODES} records on the connection.",
        )
