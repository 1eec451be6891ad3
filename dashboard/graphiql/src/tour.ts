/** The tour: six tabs, in order; each says what it shows and what to look at. */

/** What stands where step 2's answer will put an id. */
export const ROLES_GAP = "a role's id: run step 2";
export const MEMBER_GAP = "a member's id: run step 2";

interface TourTab {
  query: string;
  variables?: string;
}

export const TOUR: TourTab[] = [
  {
    query: `# 1 · Who am I?
#
# Sign in with the Session panel on the
# left, then run this: Ctrl-Enter, or the
# button with the triangle. Signed out,
# it is refused.
#
# "can" asks beforehand, and says why
# not.

query WhoAmI {
  viewer {
    scope
    user { name email }
    tenant { name slug }
    roles { key name }
    permissions
    can(permission: "role:assign") {
      allowed
      reason
    }
  }
}
`,
  },
  {
    query: `# 2 · The members, with their roles
#
# You see the tenant you signed in to,
# and no argument can name another. The
# docs (the book, top left) say which
# permission a field requires.
#
# Run it before steps 3 and 4: its answer
# fills in the ids under their Variables.

query Members($first: Int = 20) {
  tenant {
    name
    roles(first: 20) {
      nodes { id key name }
    }
    members(
      first: $first
      orderBy: { field: EMAIL, direction: ASC }
    ) {
      totalCount
      nodes {
        id
        email
        name
        status
        isOwner
        roles { key name }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
`,
    variables: `{
  "first": 20
}
`,
  },
  {
    query: `# 3 · Invite someone
#
# Each address has a result of its own:
# run it twice and compare. No one can
# give more than they hold.
#
# The letter arrives in the mailbox (link
# at the foot of the Session panel). Open
# the link in it to accept.

mutation Invite(
  $invitations: [InvitationInput!]!
) {
  invitationsCreate(
    input: { invitations: $invitations }
  ) {
    results {
      __typename
      ... on InvitationCreated {
        invitation {
          id
          email
          status
          expiresAt
          roles { name }
        }
      }
      ... on Problem { code message }
    }
  }
}
`,
    variables: `{
  "invitations": [{
    "email": "newcomer@example.com",
    "name": "New Comer",
    "roleIds": ["${ROLES_GAP}"]
  }]
}
`,
  },
  {
    query: `# 4 · Change a role
#
# Under Variables: a member, and all the
# roles they are to have. It holds from
# their very next request.
#
# With your own id from step 2 you would
# take the last owner's role away: the
# answer is LastOwner.

mutation ChangeRoles(
  $memberId: ID!
  $roleIds: [ID!]!
) {
  memberRolesSet(
    input: {
      memberId: $memberId
      roleIds: $roleIds
    }
  ) {
    __typename
    ... on MemberRolesSet {
      member {
        id
        email
        roles { key name }
      }
    }
    ... on Problem { code message }
  }
}
`,
    variables: `{
  "memberId": "${MEMBER_GAP}",
  "roleIds": ["${ROLES_GAP}"]
}
`,
  },
  {
    query: `# 5 · Refused
#
# The platform's own fields are closed to
# every token of a tenant, the owner's
# too. Look at "code" in the answer.
#
# Then sign out, sign in as someone of a
# smaller role (an agent) and run steps 2
# and 3 again: the answer names the
# permission that is missing, and nothing
# has happened.

query Refused {
  system {
    tenants(first: 5) {
      nodes { name }
    }
  }
}
`,
  },
  {
    query: `# 6 · The trail
#
# Every operation is here, the refused
# ones too: who, as what, when, from
# where, how it ended. The record is
# written before the answer leaves, and
# no one can change it.

query Trail(
  $first: Int = 20
  $filter: AuditFilter
) {
  tenant {
    auditEvents(first: $first, filter: $filter) {
      totalCount
      nodes {
        at
        actor { label role }
        operationType
        operationName
        rootField
        outcome
        code
        ip
        requestId
      }
    }
  }
}
`,
    variables: `{
  "first": 20,
  "filter": {}
}
`,
  },
];
