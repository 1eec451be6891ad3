"""A graph of four fields behind the wire's protocol, so that the wire is tested by itself."""

import json
from collections.abc import Mapping

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationType,
    build_schema,
    execute_sync,  # pyright: ignore[reportUnknownVariableType]
    get_operation_ast,
    parse,
    print_schema,
    validate,
)

from tenantry.api.operations import Answer, Caller, Operation
from tenantry.kernel.errors import DomainError
from tenantry.web.refusals import print_error

SCHEMA = build_schema(
    """
    type Query { hello: String!  echo(text: String!): String!  fails: String! }
    type Mutation { change: String! }
    """
)


def echo(_info: object, text: str) -> str:
    """Says what it was told."""
    return text


ROOT: Mapping[str, object] = {"hello": "world", "change": "changed", "echo": echo}


class TinyGraph:
    """Runs operations by graphql-core and remembers what came in, as the trail would."""

    def __init__(self) -> None:
        self.served: list[Operation] = []
        self.refused: list[tuple[Caller, DomainError]] = []
        self.always: Answer | None = None
        """What every operation is answered, where a test says so."""

    async def serve(self, operation: Operation) -> Answer:
        """The answer; ``fails`` is an exception of the kind that nobody foresaw."""
        self.served.append(operation)
        if self.always is not None:
            return self.always
        try:
            document = parse(operation.document)
        except GraphQLError as error:
            return answer([error])
        if errors := validate(SCHEMA, document):
            return answer(errors)
        return self._run(operation, document)

    async def refuse(self, caller: Caller, error: DomainError) -> Answer:
        """The error printed, and remembered with its caller."""
        self.refused.append((caller, error))
        return Answer(print_error(error), error.http_status)

    def as_str(self) -> str:
        """The schema in SDL."""
        return print_schema(SCHEMA)

    def _run(self, operation: Operation, document: DocumentNode) -> Answer:
        chosen = get_operation_ast(document, operation.operation_name)
        if chosen is not None and chosen.operation is OperationType.MUTATION and not operation.mutations:
            return Answer(b'{"errors":[{"message":"Send mutations by POST."}]}', 405)
        if "fails" in operation.document:
            raise LookupError("a detail that no client may see")
        result = execute_sync(
            SCHEMA,
            document,
            ROOT,
            operation_name=operation.operation_name,
            variable_values=dict(operation.variables),
        )
        return printed(result)


def answer(errors: list[GraphQLError]) -> Answer:
    """What cannot be run: 400, and no data."""
    return Answer(json.dumps({"errors": [error.formatted for error in errors]}).encode(), 400)


def printed(result: ExecutionResult) -> Answer:
    """What was run has data; what could not be begun has none."""
    if result.data is None and result.errors:
        return answer(result.errors)
    return Answer(json.dumps(result.formatted).encode())
