"""Refusals of connections and domains."""

from tenantry.kernel.errors import Problem


class DomainNotVerified(Problem):
    """The name's TXT records do not hold the token as yet; a new record can take hours to be seen."""

    code = "DOMAIN_NOT_VERIFIED"

    def __init__(self) -> None:
        super().__init__("The TXT record is not there yet. It can take hours until a new one is seen.")


class DomainTaken(Problem):
    """Another tenant has verified the domain."""

    code = "DOMAIN_TAKEN"

    def __init__(self) -> None:
        super().__init__("This domain is verified for another tenant.")


class IssuerNotUsable(Problem):
    """The issuer's documents cannot be had, or it is not a tenant's to connect."""

    code = "ISSUER_NOT_USABLE"

    def __init__(self, message: str) -> None:
        super().__init__(message)
