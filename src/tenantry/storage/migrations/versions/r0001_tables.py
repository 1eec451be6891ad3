"""The tables."""

from tenantry.storage.migrations.script import run

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE blueprint (
  key VARCHAR PRIMARY KEY,
  title VARCHAR NOT NULL,
  body JSONB NOT NULL,
  digest VARCHAR NOT NULL,
  applied_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE "user" (
  id UUID PRIMARY KEY,
  node_id VARCHAR NOT NULL UNIQUE,
  email VARCHAR NOT NULL UNIQUE,
  name VARCHAR,
  is_super_admin BOOLEAN NOT NULL DEFAULT false,
  mfa_enabled BOOLEAN NOT NULL DEFAULT false,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE identity (
  issuer VARCHAR NOT NULL,
  subject VARCHAR NOT NULL,
  user_id UUID NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  linked_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX ix_identity_user_id ON identity (user_id);
CREATE TABLE login_ticket (
  ticket_hash BYTEA PRIMARY KEY,
  user_id UUID NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ
);
CREATE INDEX ix_login_ticket_user_id ON login_ticket (user_id);
CREATE TABLE tenant (
  id UUID PRIMARY KEY,
  node_id VARCHAR NOT NULL UNIQUE,
  slug VARCHAR NOT NULL UNIQUE,
  name VARCHAR NOT NULL,
  blueprint VARCHAR NOT NULL REFERENCES blueprint (key),
  plan VARCHAR,
  suspended BOOLEAN NOT NULL DEFAULT false,
  version INTEGER NOT NULL DEFAULT 1,
  created_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE member (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  user_id UUID REFERENCES "user" (id),
  email VARCHAR NOT NULL,
  name VARCHAR,
  status VARCHAR NOT NULL CHECK (status IN ('ACTIVE', 'INVITED', 'SUSPENDED')),
  is_owner BOOLEAN NOT NULL DEFAULT false,
  extension VARCHAR(10),
  version INTEGER NOT NULL DEFAULT 1,
  joined_at TIMESTAMPTZ,
  last_seen_at TIMESTAMPTZ,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, email),
  UNIQUE (tenant_id, user_id)
);
CREATE INDEX member_by_email ON member (email);
CREATE INDEX member_by_user ON member (user_id);
CREATE TABLE role (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  key VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  description VARCHAR,
  scope VARCHAR NOT NULL DEFAULT 'TENANT' CHECK (scope IN ('SYSTEM', 'TENANT')),
  is_locked BOOLEAN NOT NULL DEFAULT false,
  is_owner BOOLEAN NOT NULL DEFAULT false,
  position INTEGER NOT NULL DEFAULT 0,
  permissions JSONB NOT NULL DEFAULT '[]',
  effective TEXT[] NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, scope, key)
);
CREATE INDEX role_by_position ON role (tenant_id, position, node_id);
CREATE TABLE member_role (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  member_id UUID NOT NULL,
  role_id UUID NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, member_id, role_id),
  CONSTRAINT member_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, member_id) REFERENCES member (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT role_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, role_id) REFERENCES role (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX member_role_by_role ON member_role (tenant_id, role_id);
CREATE TABLE invitation (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  email VARCHAR NOT NULL,
  name VARCHAR,
  status VARCHAR NOT NULL CHECK (status IN ('ACCEPTED', 'EXPIRED', 'PENDING', 'REVOKED')),
  token_hash BYTEA NOT NULL UNIQUE,
  member_id UUID,
  inviter_id UUID,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  accepted_at TIMESTAMPTZ,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT member_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, member_id) REFERENCES member (tenant_id, id) ON DELETE SET NULL (member_id),
  CONSTRAINT inviter_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, inviter_id) REFERENCES member (tenant_id, id) ON DELETE SET NULL (inviter_id)
);
CREATE UNIQUE INDEX invitation_pending ON invitation (tenant_id, email) WHERE status = 'PENDING';
CREATE INDEX invitation_by_creation ON invitation (tenant_id, created_at, node_id);
CREATE TABLE invitation_role (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  invitation_id UUID NOT NULL,
  role_id UUID NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, invitation_id, role_id),
  CONSTRAINT invitation_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, invitation_id) REFERENCES invitation (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT role_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, role_id) REFERENCES role (tenant_id, id) ON DELETE CASCADE
);
CREATE TABLE session (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  user_id UUID NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  member_id UUID NOT NULL,
  ip VARCHAR,
  user_agent VARCHAR,
  logged_at TIMESTAMPTZ NOT NULL,
  last_seen_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  revoked BOOLEAN NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT member_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, member_id) REFERENCES member (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX session_by_id ON session (id);
CREATE INDEX session_by_user ON session (tenant_id, user_id, logged_at, node_id);
CREATE TABLE audit_record (
  tenant_id UUID NOT NULL,
  seq BIGINT GENERATED ALWAYS AS IDENTITY,
  node_id VARCHAR NOT NULL,
  at TIMESTAMPTZ NOT NULL,
  xid XID8 NOT NULL DEFAULT pg_current_xact_id(),
  actor_kind VARCHAR NOT NULL,
  actor_id VARCHAR,
  actor_label VARCHAR,
  actor_role VARCHAR,
  actor_tenant VARCHAR,
  tenant VARCHAR,
  action VARCHAR NOT NULL,
  operation_type VARCHAR NOT NULL,
  operation_name VARCHAR,
  root_field VARCHAR,
  document_hash VARCHAR,
  targets TEXT[] NOT NULL,
  method VARCHAR NOT NULL,
  path VARCHAR NOT NULL,
  outcome VARCHAR NOT NULL CHECK (outcome IN ('OK', 'PARTIAL', 'REFUSED', 'FAILED')),
  code VARCHAR,
  ip VARCHAR,
  user_agent VARCHAR,
  request_id VARCHAR NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, seq)
);
CREATE UNIQUE INDEX audit_record_by_node_id ON audit_record (tenant_id, node_id);
"""


def upgrade() -> None:
    """Create every table."""
    run(TABLES)


def downgrade() -> None:
    """Drop every table, last made first."""
    run(
        "DROP TABLE audit_record, session, invitation_role, invitation, member_role, role, member, tenant,"
        ' login_ticket, identity, "user", blueprint'
    )
