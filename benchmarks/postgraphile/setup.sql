-- What PostGraphile's own documentation would write in SQL: who asks, what they may, and one mutation.
-- Run once as the owner; `tenantry_app` and row security do the rest.
CREATE FUNCTION viewer() RETURNS member LANGUAGE sql STABLE AS $$
  SELECT m FROM member m WHERE m.tenant_id = current_tenant() AND m.user_id = current_app_user()
$$;
CREATE FUNCTION member_permissions(m member) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT array_agg(DISTINCT p) FROM member_role h
  JOIN role r ON r.tenant_id = h.tenant_id AND r.id = h.role_id, jsonb_array_elements_text(r.permissions) AS p
  WHERE h.tenant_id = m.tenant_id AND h.member_id = m.id
$$;
CREATE FUNCTION invite(address text, role_node text) RETURNS invitation LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  here uuid := current_tenant(); by_member uuid; granted uuid; new_member uuid; made invitation;
BEGIN
  SELECT m.id INTO by_member FROM member m WHERE m.tenant_id = here AND m.user_id = current_app_user();
  SELECT r.id INTO granted FROM role r WHERE r.tenant_id = here AND r.node_id = role_node
    AND r.effective <@ ARRAY(SELECT p FROM member_role h
      JOIN role o ON o.tenant_id = h.tenant_id AND o.id = h.role_id, unnest(o.effective) AS p
      WHERE h.tenant_id = here AND h.member_id = by_member) FOR SHARE;
  IF granted IS NULL THEN RAISE EXCEPTION 'ROLE_NOT_GRANTABLE'; END IF;
  INSERT INTO member (tenant_id, id, node_id, email, status)
    VALUES (here, gen_random_uuid(), 'M_' || encode(uuid_send(gen_random_uuid()), 'hex'), lower(address), 'INVITED')
    RETURNING id INTO new_member;
  INSERT INTO member_role VALUES (here, gen_random_uuid(), new_member, granted);
  INSERT INTO invitation (tenant_id, id, node_id, email, status, token_hash, member_id, inviter_id, created_at, expires_at)
    VALUES (here, gen_random_uuid(), 'I_' || encode(uuid_send(gen_random_uuid()), 'hex'), lower(address), 'PENDING',
      sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), new_member, by_member, now(),
      now() + interval '7 days')
    RETURNING * INTO made;
  INSERT INTO invitation_role VALUES (here, gen_random_uuid(), made.id, granted);
  RETURN made;
END $$;
-- Outside of the schema that becomes GraphQL: the one look across tenants.
CREATE SCHEMA bench;
CREATE FUNCTION bench.live_session(p_session uuid, p_member_version int, p_tenant_version int)
RETURNS TABLE (tenant_id uuid, user_id uuid) LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 AS $$
  SELECT s.tenant_id, s.user_id FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  WHERE s.id = p_session AND NOT s.revoked AND s.expires_at > now()
    AND m.status = 'ACTIVE' AND m.version = p_member_version AND NOT t.suspended AND t.version = p_tenant_version
$$;
GRANT USAGE ON SCHEMA bench TO bench_postgraphile;
