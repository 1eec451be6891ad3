"""Teams: members who work together, some of them as supervisors, and the objects that are theirs."""

from tenantry.storage.migrations.script import run

revision = "0011"
down_revision = "0010"

# A team that is gone leaves its objects to nobody's team; they are not lost with it.
TABLES = """
CREATE TABLE team (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  name VARCHAR NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX team_by_name ON team (tenant_id, lower(name));
CREATE INDEX team_by_order ON team (tenant_id, name, node_id);
CREATE TABLE team_member (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  team_id UUID NOT NULL,
  member_id UUID NOT NULL,
  is_supervisor BOOLEAN NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, member_id, team_id),
  CONSTRAINT team_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT member_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, member_id) REFERENCES member (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX team_member_by_team ON team_member (tenant_id, team_id, member_id);
ALTER TABLE resource ADD COLUMN team_id UUID;
ALTER TABLE resource ADD CONSTRAINT team_id_within_tenant_fkey
  FOREIGN KEY (tenant_id, team_id) REFERENCES team (tenant_id, id) ON DELETE SET NULL (team_id);
CREATE INDEX resource_by_team ON resource (tenant_id, team_id);
SELECT stamp_row_security();
GRANT SELECT, INSERT, UPDATE, DELETE ON team, team_member TO tenantry_app;
"""


def upgrade() -> None:
    """Make room for them."""
    run(TABLES)


def downgrade() -> None:
    """Forget them; the objects stay."""
    run("ALTER TABLE resource DROP COLUMN team_id; DROP TABLE team_member; DROP TABLE team")
