-- Whose tokens an app accepts, for whom, and as what: JSON with the names that /v1 has. A member that
-- is left out has its default, so that the apps of older releases keep working.
ALTER TABLE token_apps ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE token_apps ADD COLUMN issuer TEXT GENERATED ALWAYS AS (json_extract(policy, '$.issuer')) VIRTUAL;
CREATE INDEX token_apps_by_issuer ON token_apps (algorithm, issuer, name) WHERE enabled = 1;

-- The token app that a user belongs to: the one that created them, or that an administrator named.
ALTER TABLE users ADD COLUMN token_app TEXT;
CREATE INDEX users_by_token_app ON users (token_app) WHERE token_app IS NOT NULL;
-- When the token was issued that name, email and roles were last taken from, in seconds; older tokens
-- change nothing.
ALTER TABLE users ADD COLUMN followed_at INTEGER NOT NULL DEFAULT 0;
-- The groups that tokens gave the user at last: a JSON object of token apps, each with a list of ids.
-- NULL after somebody else changed the memberships, so that the next token sets them again.
ALTER TABLE users ADD COLUMN synced_groups TEXT;

CREATE TRIGGER memberships_outdate_synced_groups_on_insert AFTER INSERT ON memberships
WHEN NEW.object_type = 'GROUP'
BEGIN
  UPDATE users SET synced_groups = NULL WHERE id = NEW.user_id AND synced_groups IS NOT NULL;
END;

CREATE TRIGGER memberships_outdate_synced_groups_on_delete AFTER DELETE ON memberships
WHEN OLD.object_type = 'GROUP'
BEGIN
  UPDATE users SET synced_groups = NULL WHERE id = OLD.user_id AND synced_groups IS NOT NULL;
END;
