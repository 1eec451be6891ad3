"""The product's own objects: typed by the blueprint, partitioned by tenant, owned by people."""

from tenantry.storage.migrations.script import run

revision = "0010"
down_revision = "0009"

# An owner is a person, who may leave the tenant: what they wrote stays theirs.
TABLE = """
CREATE TABLE resource (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  type VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  owner_id UUID REFERENCES "user" (id),
  attributes JSONB NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX resource_by_creation ON resource (tenant_id, type, created_at, node_id);
CREATE INDEX resource_by_owner ON resource (owner_id, tenant_id);
SELECT stamp_row_security();
GRANT SELECT, INSERT, UPDATE, DELETE ON resource TO tenantry_app;
"""


def upgrade() -> None:
    """Make room for them."""
    run(TABLE)


def downgrade() -> None:
    """Forget them all."""
    run("DROP TABLE resource")
