-- Times are milliseconds since the epoch (UTC). int64 ids travel as text between the Worker and D1, because D1 speaks JavaScript numbers.

-- Who may call. `password` is an Argon2id PHC string, or NULL for users who sign in with tokens only.
CREATE TABLE users (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
  username    TEXT    NOT NULL UNIQUE,             -- case-sensitive
  name        TEXT,
  email       TEXT,
  phone       TEXT,
  type        TEXT    NOT NULL CHECK (type IN ('Administrator', 'SYS_Creator', 'SYS_Reader')),
  roles       TEXT    NOT NULL DEFAULT '[]',       -- JSON array of strings
  enabled     INTEGER NOT NULL DEFAULT 1,
  password    TEXT,
  created_at  INTEGER NOT NULL,
  modified_at INTEGER NOT NULL
);
CREATE INDEX users_by_modified_at ON users (modified_at);
CREATE INDEX users_administrators ON users (id) WHERE type = 'Administrator' AND enabled = 1;

-- Nobody can lock everybody out: the last enabled administrator stays one.
CREATE TRIGGER users_keep_an_administrator_on_delete
BEFORE DELETE ON users
WHEN OLD.type = 'Administrator' AND OLD.enabled = 1
  AND NOT EXISTS (SELECT 1 FROM users WHERE type = 'Administrator' AND enabled = 1 AND id <> OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'last administrator');
END;

CREATE TRIGGER users_keep_an_administrator_on_update
BEFORE UPDATE OF type, enabled ON users
WHEN OLD.type = 'Administrator' AND OLD.enabled = 1
  AND (NEW.type <> 'Administrator' OR NEW.enabled <> 1)
  AND NOT EXISTS (SELECT 1 FROM users WHERE type = 'Administrator' AND enabled = 1 AND id <> OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'last administrator');
END;

-- Opaque tokens. The token and the cookie are separate random values; only their SHA-256 (hex) is here.
CREATE TABLE sessions (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  token_hash  TEXT    NOT NULL UNIQUE,
  cookie_hash TEXT    NOT NULL UNIQUE,
  user_id     INTEGER NOT NULL,
  address     TEXT,                                -- where it was issued to
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expires_at ON sessions (expires_at);

-- The systems whose JSON Web Tokens are accepted.
CREATE TABLE token_apps (
  name             TEXT    PRIMARY KEY,            -- case-sensitive
  token_name       TEXT    NOT NULL,               -- the URL parameter that carries the token
  secret           TEXT    NOT NULL,               -- AES-256-GCM under MASTER_KEY
  secret_key_id    TEXT    NOT NULL,               -- which MASTER_KEY
  expire_s         INTEGER NOT NULL,
  claim_username   TEXT    NOT NULL,               -- names of claims
  claim_name       TEXT    NOT NULL,
  claim_email      TEXT    NOT NULL,
  algorithm        TEXT    NOT NULL,
  enabled          INTEGER NOT NULL,
  creates_users    INTEGER NOT NULL,
  initial_roles    TEXT    NOT NULL,               -- JSON array of strings
  initial_password TEXT,                           -- Argon2id PHC string
  creator_id       INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  modified_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX token_apps_by_algorithm ON token_apps (algorithm, token_name, name) WHERE enabled = 1;
CREATE INDEX token_apps_by_secret_key_id ON token_apps (secret_key_id);

-- The change feed: what isolates must forget. Written in the batch of the change itself; pruned after an hour, but for the newest entry.
CREATE TABLE changes (
  revision INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     TEXT    NOT NULL,                       -- 'token_app', 'user', 'session', 'start'
  key      TEXT    NOT NULL,                       -- the name, the id, the id
  at       INTEGER NOT NULL
);
CREATE INDEX changes_by_at ON changes (at);
INSERT INTO changes (kind, key, at) VALUES ('start', '', 0);

-- One row for the user name and one for the client address of each failed sign-in; pruned after the window of 10 minutes.
CREATE TABLE sign_in_failures (
  scope TEXT    NOT NULL CHECK (scope IN ('username', 'address')),
  key   TEXT    NOT NULL,
  at    INTEGER NOT NULL
);
CREATE INDEX sign_in_failures_by_key ON sign_in_failures (scope, key, at);
CREATE INDEX sign_in_failures_by_at ON sign_in_failures (at);

-- Who did what, from where. `before` and `after` are JSON without secrets.
CREATE TABLE audit_events (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL,                     -- a user name, or what was claimed at a failed sign-in
  actor_id   INTEGER,
  address    TEXT,
  action     TEXT    NOT NULL,
  target     TEXT    NOT NULL,
  before     TEXT,
  after      TEXT,
  request_id TEXT    NOT NULL
);
CREATE INDEX audit_events_by_actor ON audit_events (actor, id);
CREATE INDEX audit_events_by_action ON audit_events (action, id);
CREATE INDEX audit_events_by_at ON audit_events (at);
