-- What an identity provider stores about users by SCIM. A row means that provisioning created or
-- adopted the user. Without a row, provisioning may not change them.
CREATE TABLE provisioned_users (
  user_id        INTEGER PRIMARY KEY,
  external_id    TEXT UNIQUE,                      -- the provider's id, case-sensitive
  given_name     TEXT,
  family_name    TEXT,
  formatted_name TEXT,
  emails         TEXT,                             -- JSON: {"list": [{"value", "type", "primary"}]}; users.email is the primary one, else the first
  tells_active   INTEGER NOT NULL DEFAULT 1        -- 0 where the provider removed `active`: users.enabled stays, and is not shown
);

CREATE TABLE provisioned_groups (
  group_id    INTEGER PRIMARY KEY,
  external_id TEXT UNIQUE,
  modified_at INTEGER NOT NULL                     -- also when its members changed
);

-- The numbers of provisioned users and groups, so that no list must count them.
CREATE TABLE provisioned_counts (
  kind  TEXT    PRIMARY KEY CHECK (kind IN ('user', 'group')),
  total INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO provisioned_counts (kind, total) VALUES ('user', 0), ('group', 0);

CREATE TRIGGER provisioned_users_count_inserted AFTER INSERT ON provisioned_users
BEGIN
  UPDATE provisioned_counts SET total = total + 1 WHERE kind = 'user';
END;

CREATE TRIGGER provisioned_users_count_deleted AFTER DELETE ON provisioned_users
BEGIN
  UPDATE provisioned_counts SET total = total - 1 WHERE kind = 'user';
END;

CREATE TRIGGER provisioned_groups_count_inserted AFTER INSERT ON provisioned_groups
BEGIN
  UPDATE provisioned_counts SET total = total + 1 WHERE kind = 'group';
END;

CREATE TRIGGER provisioned_groups_count_deleted AFTER DELETE ON provisioned_groups
BEGIN
  UPDATE provisioned_counts SET total = total - 1 WHERE kind = 'group';
END;

CREATE TRIGGER users_end_their_provisioning AFTER DELETE ON users
BEGIN
  DELETE FROM provisioned_users WHERE user_id = OLD.id;
END;

CREATE TRIGGER units_end_their_provisioning AFTER DELETE ON units
WHEN OLD.object_type = 'GROUP'
BEGIN
  DELETE FROM provisioned_groups WHERE group_id = OLD.id;
END;

-- Names as SCIM compares them: in Unicode normalization form C and in lower case. SQLite folds
-- ASCII only. So a trigger folds ASCII names, the Worker folds others, and the scheduled event
-- folds those that are still NULL.
ALTER TABLE users ADD COLUMN username_folded TEXT;
ALTER TABLE units ADD COLUMN name_folded TEXT;
UPDATE users SET username_folded = lower(username) WHERE username NOT GLOB '*[^ -~]*';
UPDATE units SET name_folded = lower(name) WHERE object_type = 'GROUP' AND name NOT GLOB '*[^ -~]*';
CREATE INDEX users_by_username_folded ON users (username_folded);
CREATE INDEX users_unfolded ON users (id) WHERE username_folded IS NULL;
CREATE INDEX users_by_lower_email ON users (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX groups_by_name_folded ON units (name_folded) WHERE object_type = 'GROUP';
CREATE INDEX groups_unfolded ON units (id) WHERE object_type = 'GROUP' AND name_folded IS NULL AND name IS NOT NULL;

CREATE TRIGGER users_fold_their_name AFTER INSERT ON users
WHEN NEW.username_folded IS NULL AND NEW.username NOT GLOB '*[^ -~]*'
BEGIN
  UPDATE users SET username_folded = lower(NEW.username) WHERE id = NEW.id;
END;

CREATE TRIGGER groups_fold_their_name AFTER INSERT ON units
WHEN NEW.object_type = 'GROUP' AND NEW.name_folded IS NULL AND NEW.name NOT GLOB '*[^ -~]*'
BEGIN
  UPDATE units SET name_folded = lower(NEW.name) WHERE object_type = 'GROUP' AND id = NEW.id;
END;

CREATE TRIGGER groups_fold_their_new_name AFTER UPDATE OF name ON units
WHEN NEW.object_type = 'GROUP' AND NEW.name IS NOT OLD.name AND NEW.name_folded IS OLD.name_folded
BEGIN
  UPDATE units SET name_folded = CASE WHEN NEW.name NOT GLOB '*[^ -~]*' THEN lower(NEW.name) END
    WHERE object_type = 'GROUP' AND id = NEW.id;
END;

-- Three more rules of `refusals`.
ALTER TABLE refusals ADD COLUMN of_provisioned_names INTEGER
  CONSTRAINT provisioned_name_taken CHECK (rule <> 'provisioned_name_taken');
ALTER TABLE refusals ADD COLUMN of_members INTEGER
  CONSTRAINT unknown_member CHECK (rule <> 'unknown_member');
ALTER TABLE refusals ADD COLUMN of_provisioning INTEGER
  CONSTRAINT not_provisioned CHECK (rule <> 'not_provisioned');

-- A token names its user by name. A renamed user leaves a tombstone at the old name, so that none
-- of their tokens creates a user of that name or is accepted as a later user's. The tombstone's id
-- is 0, because the user still has their id. The Worker writes the time of its clock, as for a
-- deleted user.
CREATE TRIGGER users_leave_a_tombstone_at_their_old_name AFTER UPDATE OF username ON users
WHEN NEW.username IS NOT OLD.username
BEGIN
  DELETE FROM tombstones WHERE username = NEW.username;
  INSERT INTO tombstones (username, id, deleted_at, deleted_by)
    VALUES (OLD.username, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), '')
    ON CONFLICT (username) DO UPDATE
      SET id = excluded.id, deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by;
END;
