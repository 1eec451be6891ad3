"""What can be done here, as the trail names it."""

from enum import StrEnum


class AuditAction(StrEnum):
    """The closed, sorted list of actions.

    Naming rule: ``<thing>.<verb>`` in snake_case, the thing as in the vocabulary (one of
    ours, singular) and the verb in its plain form. A read is ``read.<root field>``;
    ``read.crossing`` is the platform looking into one tenant, and stands in that tenant's
    trail. ``operation.refused`` is an operation that reached no root field: it did not
    parse or validate, went beyond a limit, or came with a credential that does not hold.
    """

    API_KEY_CREATE = "api_key.create"
    API_KEY_REVOKE = "api_key.revoke"
    AUDIT_EXPORT = "audit.export"
    AUTHENTICATION_LOGIN = "authentication.login"
    AUTHENTICATION_LOGOUT = "authentication.logout"
    AUTHENTICATION_MFA_VERIFY = "authentication.mfa_verify"
    AUTHENTICATION_TENANT_SWITCH = "authentication.tenant_switch"
    BLUEPRINT_APPLY = "blueprint.apply"
    CONNECTION_CREATE = "connection.create"
    CONNECTION_DELETE = "connection.delete"
    CONNECTION_UPDATE = "connection.update"
    DOMAIN_ADD = "domain.add"
    DOMAIN_REMOVE = "domain.remove"
    DOMAIN_VERIFY = "domain.verify"
    FACTOR_CONFIRM = "factor.confirm"
    FACTOR_DISABLE = "factor.disable"
    FACTOR_ENROLL = "factor.enroll"
    FACTOR_RESET = "factor.reset"
    FACTOR_STEP_UP = "factor.step_up"
    INVITATION_ACCEPT = "invitation.accept"
    INVITATION_CREATE = "invitation.create"
    INVITATION_RESEND = "invitation.resend"
    INVITATION_REVOKE = "invitation.revoke"
    MEMBER_PROVISION = "member.provision"
    MEMBER_REACTIVATE = "member.reactivate"
    MEMBER_REMOVE = "member.remove"
    MEMBER_ROLES_SET = "member.roles_set"
    MEMBER_SUSPEND = "member.suspend"
    MEMBER_TRANSFER_OWNERSHIP = "member.transfer_ownership"
    MEMBER_UPDATE = "member.update"
    OPERATION_REFUSED = "operation.refused"
    READ_AUTHORITY = "read.authority"
    READ_CROSSING = "read.crossing"
    READ_INTROSPECTION = "read.introspection"
    READ_NODE = "read.node"
    READ_SERVER_INFO = "read.server_info"
    READ_SIGN_IN_OPTIONS = "read.sign_in_options"
    READ_SYSTEM = "read.system"
    READ_TENANT = "read.tenant"
    READ_VIEWER = "read.viewer"
    RESOURCE_ACT = "resource.act"
    RESOURCE_CREATE = "resource.create"
    RESOURCE_DELETE = "resource.delete"
    RESOURCE_UPDATE = "resource.update"
    ROLE_CREATE = "role.create"
    ROLE_DELETE = "role.delete"
    ROLE_UPDATE = "role.update"
    SESSION_PROVIDER_LOGOUT = "session.provider_logout"
    SESSION_REFRESH = "session.refresh"
    SESSION_REVOKE = "session.revoke"
    SESSION_REVOKE_OTHERS = "session.revoke_others"
    TEAM_CREATE = "team.create"
    TEAM_DELETE = "team.delete"
    TEAM_UPDATE = "team.update"
    TENANT_CREATE = "tenant.create"
    TENANT_PLAN_SET = "tenant.plan_set"
    TENANT_REACTIVATE = "tenant.reactivate"
    TENANT_SUSPEND = "tenant.suspend"
    TENANT_UPDATE = "tenant.update"
    TOKEN_INTROSPECT = "token.introspect"  # noqa: S105 - a verb
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - a verb
    USER_UPDATE = "user.update"
