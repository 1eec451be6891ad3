"""Refusals of invitations."""

from tenantry.kernel.errors import Problem


class AlreadyMember(Problem):
    """The address belongs to a member of this tenant, active or suspended."""

    code = "ALREADY_MEMBER"

    def __init__(self) -> None:
        super().__init__("This address belongs to a member already.")


class InvalidEmail(Problem):
    """The text is no e-mail address (RFC 5321, 5322); whether it exists is not asked."""

    code = "INVALID_EMAIL"

    def __init__(self) -> None:
        super().__init__("This is not an e-mail address.")


class InvitationNotPending(Problem):
    """The invitation has been accepted, revoked, or replaced by a newer one."""

    code = "INVITATION_NOT_PENDING"

    def __init__(self) -> None:
        super().__init__("Only a pending invitation can be sent again, revoked or accepted.")


class InvitationPending(Problem):
    """The address has been invited and has not answered yet."""

    code = "INVITATION_PENDING"

    def __init__(self) -> None:
        super().__init__("This address has a pending invitation; send that one again, or revoke it.")
