-- Organizations (OUs), by the callers' ids. In an open directory an administrator's first mention registers one.
CREATE TABLE organizations (
  id          TEXT    PRIMARY KEY,                 -- case-sensitive
  name        TEXT,
  created_at  INTEGER NOT NULL,
  modified_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Applications of organizations. `secret` and `token` are AES-256-GCM under MASTER_KEY: signatures are made with the secret, and a token that
-- counts comes back as often as it is asked for. `authorizations` is a set of bits, in the order of the names: USER 1, ASSET 2, ROLE 4,
-- USER_OP 8, USER_PERMISSION 16, USER_ALL_PERMISSION 32, ROLE_OP 64, MENU_GROUP_OP 128.
CREATE TABLE applications (
  access_key       TEXT    PRIMARY KEY,            -- case-sensitive
  organization_id  TEXT    NOT NULL,
  name             TEXT,
  shortcut         INTEGER NOT NULL DEFAULT 0,     -- a link to something else: nothing is authorized
  authorizes       INTEGER NOT NULL DEFAULT 0,     -- may authorize the applications of its organization
  enabled          INTEGER NOT NULL DEFAULT 1,
  authorizations   INTEGER NOT NULL DEFAULT 0,
  secret           TEXT,                           -- NULL: it cannot sign
  secret_key_id    TEXT,                           -- which MASTER_KEY
  token            TEXT,                           -- the access token, where there is one
  token_key_id     TEXT,
  token_hash       TEXT    UNIQUE,                 -- SHA-256 (hex)
  token_expires_at INTEGER,
  created_at       INTEGER NOT NULL,
  modified_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX applications_by_organization ON applications (organization_id, access_key);
CREATE INDEX applications_by_token_expires_at ON applications (token_expires_at) WHERE token_expires_at IS NOT NULL;
CREATE INDEX applications_by_secret_key_id ON applications (secret_key_id) WHERE secret_key_id IS NOT NULL;
CREATE INDEX applications_by_token_key_id ON applications (token_key_id) WHERE token_key_id IS NOT NULL;

-- An application always has its organization.
CREATE TRIGGER applications_have_an_organization
BEFORE INSERT ON applications
WHEN NOT EXISTS (SELECT 1 FROM organizations WHERE id = NEW.organization_id)
BEGIN
  SELECT RAISE(ABORT, 'unknown organization');
END;

CREATE TRIGGER organizations_keep_their_applications
BEFORE DELETE ON organizations
WHEN EXISTS (SELECT 1 FROM applications WHERE organization_id = OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'organization has applications');
END;

-- What was signed once and counts no second time; pruned when its timestamp is out of the window.
CREATE TABLE used_signatures (
  hash       TEXT    PRIMARY KEY,                  -- SHA-256 (hex) of the signature with what it belongs to
  token_hash TEXT,                                 -- the access token that it brought, where it asked for one
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX used_signatures_by_expires_at ON used_signatures (expires_at);

-- GIS servers that were ordered. `password` is AES-256-GCM under MASTER_KEY, or NULL where none was given.
CREATE TABLE node_orders (
  id                    INTEGER PRIMARY KEY AUTOINCREMENT,
  spec                  TEXT    NOT NULL,
  count                 INTEGER NOT NULL,
  name                  TEXT    NOT NULL,
  password              TEXT,
  password_key_id       TEXT,
  description           TEXT    NOT NULL,
  physical_machine_name TEXT    NOT NULL,
  creator_id            INTEGER NOT NULL,
  created_at            INTEGER NOT NULL
);
CREATE INDEX node_orders_by_password_key_id ON node_orders (password_key_id) WHERE password_key_id IS NOT NULL;
