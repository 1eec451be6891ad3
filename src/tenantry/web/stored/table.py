"""Every stored operation there is: what a client without GraphQL can ask for, group by group."""

from tenantry.access.rules import public, scopes
from tenantry.kernel.principal import Scope
from tenantry.web.stored.operation import StoredOperation as Stored

ANYONE = public()
STAFF = scopes(Scope.SYSTEM)
MEMBERS = scopes(Scope.TENANT)

CREATED = 201

STORED: tuple[Stored, ...] = (
    # Signing in.
    Stored(
        ("POST", "/auth/refresh"),
        "A new access token, by the refresh cookie, which changes with it",
        "Refresh",
        ("sessionRefresh",),
        ANYONE,
        by_cookie=True,
    ),
    Stored(
        ("POST", "/api/v1/auth/user-login"),
        "Exchange a Firebase ID token for an access token",
        "UserLogin",
        ("login",),
        ANYONE,
    ),
    # The people of the token's tenant.
    Stored(
        ("POST", "/api/v1/org-users/invite"),
        "Ask one person in, by a mailed link",
        "OrgUserInvite",
        ("invitationsCreate", "results", 0),
        MEMBERS,
        status=CREATED,
    ),
    Stored(
        ("GET", "/api/v1/org-users"), "The members, by address", "OrgUsers", ("tenant", "members"), MEMBERS
    ),
    Stored(
        ("GET", "/api/v1/org-users/me/profile"),
        "Who asks, and what they may",
        "OrgUserProfile",
        ("viewer",),
        MEMBERS,
    ),
    Stored(
        ("PUT", "/api/v1/org-users/{id}/role"),
        "Give a member this role and no other",
        "OrgUserRole",
        ("memberRolesSet",),
        MEMBERS,
    ),
    Stored(
        ("DELETE", "/api/v1/org-users/{id}"),
        "Remove a member, who loses everything here at once",
        "OrgUserRemove",
        ("memberRemove",),
        MEMBERS,
    ),
    Stored(
        ("GET", "/api/v1/roles"), "The roles, with their permissions", "Roles", ("tenant", "roles"), MEMBERS
    ),
    # The platform's panel.
    Stored(("GET", "/system/users"), "All people, by address", "SystemUsers", ("system", "users"), STAFF),
    Stored(("GET", "/system/tenants"), "All tenants, by name", "SystemTenants", ("system", "tenants"), STAFF),
    Stored(
        ("POST", "/system/tenants"),
        "Make a tenant from a blueprint",
        "SystemTenantCreate",
        ("tenantCreate", "tenant"),
        STAFF,
        status=CREATED,
    ),
    Stored(
        ("GET", "/system/tenants/{id}"),
        "One tenant; the look into it is recorded in its own trail",
        "SystemTenant",
        ("system", "tenant"),
        STAFF,
    ),
    Stored(
        ("GET", "/system/billing"),
        "Which tenant is on which plan",
        "SystemBilling",
        ("system", "tenants"),
        STAFF,
    ),
    Stored(
        ("PUT", "/system/billing/{id}"),
        "Put a tenant on a plan; null takes it off",
        "SystemBillingSet",
        ("tenantPlanSet", "tenant"),
        STAFF,
    ),
    # A client company's panel, by the types of the blueprint messaging-crm.
    Stored(
        ("GET", "/crm/contacts"),
        "The contacts that the caller may see, newest first",
        "CrmContacts",
        ("tenant", "resources"),
        MEMBERS,
    ),
    Stored(
        ("POST", "/crm/contacts"),
        "Make a contact, owned by the caller",
        "CrmContactCreate",
        ("resourceCreate", "resource"),
        MEMBERS,
        status=CREATED,
    ),
    Stored(
        ("GET", "/crm/inbox"),
        "The conversations that the caller may see, newest first",
        "CrmInbox",
        ("tenant", "resources"),
        MEMBERS,
    ),
    Stored(
        ("POST", "/crm/inbox"),
        "Make a conversation, owned by the caller",
        "CrmConversationCreate",
        ("resourceCreate", "resource"),
        MEMBERS,
        status=CREATED,
    ),
    Stored(
        ("GET", "/crm/automations"),
        "The automations that the caller may see, newest first",
        "CrmAutomations",
        ("tenant", "resources"),
        MEMBERS,
    ),
    Stored(
        ("POST", "/crm/automations"),
        "Make an automation, owned by the caller",
        "CrmAutomationCreate",
        ("resourceCreate", "resource"),
        MEMBERS,
        status=CREATED,
    ),
)
