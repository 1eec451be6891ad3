"""What all types share: the node, the page, the problem."""

from typing import Generic, TypeVar

import strawberry

from tenantry.access.rules import authenticated, public
from tenantry.api.planner.fields import column, graph_type, nested

NodeType = TypeVar("NodeType")


@strawberry.interface(
    description="Anything with an id that `node` can find (Relay, Global Object Identification)."
)
class Node:
    """An object with a global id."""

    id: strawberry.ID = column("Opaque; reveals neither the row's key nor its tenant.", "node_id")


@strawberry.interface(description="An expected outcome that is not success; `code` is stable.")
class Problem:
    """What every problem says."""

    code: str
    message: str


@graph_type(rule=authenticated())
class PageInfo:
    """Where a page stands (Relay, Cursor Connections)."""

    has_next_page: bool = nested("Whether more follows.")
    has_previous_page: bool = nested("Whether something comes before.")
    start_cursor: str | None = nested("Cursor of the first node here.")
    end_cursor: str | None = nested("Cursor of the last node here.")


@graph_type(rule=authenticated())
class Edge(Generic[NodeType]):
    """A node and its place in the list."""

    cursor: str = nested("Where this node stands; give it to `after` or `before`.")
    node: NodeType = nested("The node.")


@graph_type(rule=authenticated())
class Connection(Generic[NodeType]):
    """A page of a list."""

    edges: list[Edge[NodeType]] = nested("The nodes with their cursors.")
    nodes: list[NodeType] = nested("The nodes.")
    page_info: PageInfo = nested("Where this page stands.")
    total_count: int = nested("How many there are in all, this page or not.")


PUBLIC = public()
