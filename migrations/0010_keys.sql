-- Machine keys. A key has one secret, or two while one is being replaced. Each of them is accepted.
CREATE TABLE machine_keys (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,    -- never given twice
  name       TEXT    NOT NULL,
  may        INTEGER NOT NULL CHECK (may BETWEEN 1 AND 7),  -- a set of bits: decisions 1, provisioning 2, administration 4
  user_id    INTEGER,                              -- for whom it speaks, and who limits it; NULL: it is nobody's
  created_by INTEGER NOT NULL,                     -- the user who made it, or who made the key that made it
  session_id INTEGER,                              -- the session that it ends with
  parent_id  INTEGER,                              -- the key that it ends with
  token_hash TEXT,                                 -- the digest (hex) by which the JSON Web Token is revoked that made it
  jti_hash   TEXT,                                 -- the same of its jti
  app        TEXT,                                 -- the token app of that token
  created_at INTEGER NOT NULL,
  expires_at INTEGER                               -- NULL: never
);
CREATE UNIQUE INDEX machine_keys_by_name ON machine_keys (COALESCE(user_id, 'nobody'), name);
CREATE INDEX machine_keys_by_user ON machine_keys (user_id, id);
CREATE INDEX machine_keys_by_session ON machine_keys (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX machine_keys_by_parent ON machine_keys (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX machine_keys_by_app ON machine_keys (app) WHERE app IS NOT NULL;
CREATE INDEX machine_keys_by_expires_at ON machine_keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE machine_key_secrets (
  hash         TEXT    PRIMARY KEY,                -- SHA-256 (hex) of the whole key
  key_id       INTEGER NOT NULL,
  prefix       TEXT    NOT NULL,                   -- what lists show of it
  created_at   INTEGER NOT NULL,
  last_used_on INTEGER                             -- days since 1970-01-01 (UTC)
) WITHOUT ROWID;
CREATE UNIQUE INDEX machine_key_secrets_by_key ON machine_key_secrets (key_id, prefix);

-- The limits on the number of keys: per user, and for keys of nobody.
CREATE TRIGGER machine_keys_are_bounded
BEFORE INSERT ON machine_keys
WHEN (SELECT COUNT(*) FROM machine_keys WHERE user_id IS NEW.user_id) >= CASE WHEN NEW.user_id IS NULL THEN 10000 ELSE 20 END
BEGIN
  SELECT RAISE(ABORT, 'too many machine keys');
END;

-- What a key ends with may have ended since the request checked it.
CREATE TRIGGER machine_keys_have_what_they_end_with
BEFORE INSERT ON machine_keys
WHEN (NEW.user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id AND enabled = 1))
  OR (NEW.session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = NEW.session_id))
  OR (NEW.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM machine_keys WHERE id = NEW.parent_id))
BEGIN
  SELECT RAISE(ABORT, 'maker of the machine key is gone');
END;

-- Likewise the user who creates the key: a statement of the batch compares them, and reports a
-- difference here.
CREATE TRIGGER machine_keys_have_a_maker_who_is_as_they_were
BEFORE INSERT ON refusals
WHEN NEW.rule = 'maker of the machine key is gone'
BEGIN
  SELECT RAISE(ABORT, 'maker of the machine key is gone');
END;

CREATE TRIGGER machine_key_secrets_are_two_at_most
BEFORE INSERT ON machine_key_secrets
WHEN (SELECT COUNT(*) FROM machine_key_secrets WHERE key_id = NEW.key_id) >= 2
BEGIN
  SELECT RAISE(ABORT, 'two secrets of the machine key');
END;

-- Whatever deletes a session or a user deletes the keys that end with it.
CREATE TRIGGER machine_keys_end_with_their_session AFTER DELETE ON sessions
BEGIN
  DELETE FROM machine_keys WHERE session_id = OLD.id;
END;

-- A token is invalid when its app is disabled or has another secret, and may be invalid after any
-- change of the app. Encrypting a secret again does not change modified_at.
CREATE TRIGGER machine_keys_end_with_their_app AFTER DELETE ON token_apps
BEGIN
  DELETE FROM machine_keys WHERE app = OLD.name;
END;

CREATE TRIGGER machine_keys_end_when_their_app_changes AFTER UPDATE OF modified_at ON token_apps
BEGIN
  DELETE FROM machine_keys WHERE app = NEW.name;
END;

CREATE TRIGGER machine_keys_end_with_their_user AFTER DELETE ON users
BEGIN
  DELETE FROM machine_keys WHERE user_id = OLD.id;
END;

CREATE TRIGGER machine_keys_end_when_their_user_is_disabled AFTER UPDATE OF enabled ON users
WHEN NEW.enabled = 0 AND OLD.enabled <> 0
BEGIN
  DELETE FROM machine_keys WHERE user_id = NEW.id;
END;

CREATE TRIGGER machine_key_secrets_end_with_their_key AFTER DELETE ON machine_keys
BEGIN
  DELETE FROM machine_key_secrets WHERE key_id = OLD.id;
END;
