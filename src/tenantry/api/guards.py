"""Guards: the rules of the graph for what is not planned, decided by the same function."""

from tenantry.access.decisions import decide, refusal
from tenantry.access.rules import Rule
from tenantry.kernel.errors import NotFound
from tenantry.kernel.principal import Authority


def permit(rule: Rule, authority: Authority | None) -> None:
    """Let a caller pass who meets ``rule``. Raises ``DomainError`` by the decision on anybody else."""
    decision = decide(rule, authority)
    if not decision.allowed:
        raise refusal(decision)


def keep_to(tenant: str, authority: Authority | None) -> None:
    """Let a caller pass who acts in this tenant, by its node id.

    Raises ``NotFound`` for another tenant's, the same as for one that does not exist.
    """
    if authority is None or authority.tenant != tenant:
        raise NotFound
