-- Tokens that were revoked before they expired. A row is kept until the token has expired by
-- itself, whatever its token app says by then; the scheduled event then deletes it.
CREATE TABLE revocations (
  id         INTEGER PRIMARY KEY,
  kind       TEXT    NOT NULL,                     -- 'token': one JSON Web Token; 'jti': whatever has this `jti` of an app
  key        TEXT    NOT NULL,                     -- SHA-256 (hex): of the header and claims as they are signed; of the app's name, a slash and the `jti`
  until      INTEGER NOT NULL,
  app        TEXT    NOT NULL,                     -- the token app's name
  username   TEXT,                                 -- whom the token named; NULL for a `jti`
  jti        TEXT,                                 -- for people: at most 256 characters
  created_at INTEGER NOT NULL
);
-- The key leaves the signature out, because one token may have several valid ones (ECDSA).
CREATE UNIQUE INDEX revocations_by_key ON revocations (kind, key);
CREATE INDEX revocations_by_until ON revocations (until, kind, key);
