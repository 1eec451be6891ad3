"""The documents of ``operations.graphql``, each with the fragments that it uses."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from graphql import (
    FragmentDefinitionNode,
    FragmentSpreadNode,
    Node,
    OperationDefinitionNode,
    parse,
    print_ast,
)
from graphql.language import Visitor, visit


class _Spreads(Visitor):
    """Collects the names of the fragments that are spread."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.names.append(node.name.value)


def _read() -> Mapping[str, str]:
    text = Path(__file__).with_name("operations.graphql").read_text(encoding="utf-8")
    definitions = parse(text, no_location=True).definitions
    fragments = {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)}
    operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
    return {
        each.name.value: "\n".join(map(print_ast, (each, *_used(each, fragments))))
        for each in operations
        if each.name is not None
    }


def _used(node: Node, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FragmentDefinitionNode]:
    """The fragments below a node, each once: none of ours is spread twice in one operation."""
    spreads = _Spreads()
    visit(node, spreads)
    for name in spreads.names:
        yield fragments[name]
        yield from _used(fragments[name], fragments)


DOCUMENTS: Mapping[str, str] = _read()
"""By the operation's name."""
