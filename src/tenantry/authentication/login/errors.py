"""What a login can come to, other than success."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenantry.kernel.errors import Problem


class NotInvited(Problem):
    """Nobody waits for this person here.

    Also the answer wherever another one would tell more than the caller may know: an address
    that the issuer has not verified or that another identity owns, an invitation that is used,
    expired, revoked or somebody else's, a tenant that does not exist.
    """

    code = "NOT_INVITED"

    def __init__(self) -> None:
        super().__init__("You are not invited here. Ask for an invitation to the address you sign in with.")


class MemberSuspended(Problem):
    """The person is a member, and may not act: the membership or its tenant is suspended."""

    code = "MEMBER_SUSPENDED"

    def __init__(self) -> None:
        super().__init__("This membership is suspended.")


@dataclass(frozen=True, slots=True)
class TenantChoice:
    """A tenant that the person could sign in to, by its node id."""

    tenant: str
    name: str


class MfaRequired(Problem):
    """The person has a second factor: ``challenge`` asks for it, and is no token.

    Returned, not raised, since the challenge is kept only if the transaction commits.
    """

    code = "MFA_REQUIRED"
    methods = ("TOTP", "RECOVERY_CODE")

    def __init__(self, challenge: str) -> None:
        super().__init__("Confirm with your second factor.")
        self.challenge = challenge


class TenantChoiceRequired(Problem):
    """The person belongs to several tenants: ``ticket`` stands in for a token while they choose.

    Returned, not raised, since the ticket is kept only if the transaction commits.
    """

    code = "TENANT_CHOICE_REQUIRED"

    def __init__(self, choices: Sequence[TenantChoice], ticket: str) -> None:
        super().__init__("Choose the tenant to sign in to.")
        self.choices = tuple(choices)
        self.ticket = ticket
