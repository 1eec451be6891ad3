"""What graphql-core says of the schema itself."""
# graphql-core types the executor's parts without their parameters.
# pyright: reportUnknownVariableType=false

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
)

from tenantry.api.planner.documents import Prepared


def introspected(
    schema: GraphQLSchema, prepared: Prepared, nodes: Iterable[FieldNode], variables: Mapping[str, Any]
) -> dict[str, Any]:
    """The answers of ``__schema`` and ``__type``, asked by these root fields of the document."""
    operation = OperationDefinitionNode(
        operation=OperationType.QUERY,
        selection_set=SelectionSetNode(selections=tuple(nodes)),
        variable_definitions=prepared.operation.variable_definitions,
    )
    document = DocumentNode(definitions=(operation, *prepared.fragments.values()))
    return execute_sync(schema, document, variable_values=dict(variables)).data or {}
