-- The app's policy: which users, audiences and claims it accepts, as JSON with the field names of
-- /v1. A missing field has its default, so that the apps of older releases keep working.
ALTER TABLE token_apps ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE token_apps ADD COLUMN issuer TEXT GENERATED ALWAYS AS (json_extract(policy, '$.issuer')) VIRTUAL;
CREATE INDEX token_apps_by_issuer ON token_apps (algorithm, issuer, name) WHERE enabled = 1;

-- The token app that a user belongs to: it created them, or an administrator named it.
ALTER TABLE users ADD COLUMN token_app TEXT;
CREATE INDEX users_by_token_app ON users (token_app) WHERE token_app IS NOT NULL;
-- The time of issue, in seconds, of the token that last set name, email and roles. Older tokens
-- change nothing.
ALTER TABLE users ADD COLUMN followed_at INTEGER NOT NULL DEFAULT 0;
-- The groups that tokens last gave the user: a JSON object with a list of group ids for each token
-- app. NULL after somebody else changed the memberships, so that the next token sets them again.
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
