-- Ids. A grant, a membership or an import may refer to an id before anything has it. So a chosen id
-- is one that nothing refers to and that was never given before.

-- The last id that Postern chose of each kind. Ids that callers name do not change it.
CREATE TABLE id_counters (
  kind TEXT    PRIMARY KEY CHECK (kind IN ('user', 'group', 'department', 'service')),
  last INTEGER NOT NULL
) WITHOUT ROWID;

-- The counters begin after the existing ids. Callers certainly named those of 2^52 and more, so
-- they are not considered.
INSERT INTO id_counters (kind, last)
SELECT 'user', MAX(
  COALESCE((SELECT MAX(id) FROM users WHERE id BETWEEN 0 AND 4503599627370495), 0),
  COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'users' AND seq BETWEEN 0 AND 4503599627370495), 0));
INSERT INTO id_counters (kind, last)
SELECT 'group', COALESCE(MAX(id), 0) FROM units
  WHERE object_type = 'GROUP' AND id BETWEEN 0 AND 4503599627370495;
INSERT INTO id_counters (kind, last)
SELECT 'department', COALESCE(MAX(id), 0) FROM units
  WHERE object_type = 'DEPT' AND id BETWEEN 0 AND 4503599627370495;
INSERT INTO id_counters (kind, last)
SELECT 'service', COALESCE(MAX(id), 0) FROM services WHERE id BETWEEN 0 AND 4503599627370495;

-- The ids of deleted records. None of them is chosen again. A caller cannot give a user's id again
-- either, unless an administrator freed it.
CREATE TABLE past_ids (
  kind  TEXT    NOT NULL,
  id    INTEGER NOT NULL,
  freed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- Names of deleted users. No token creates a user with such a name.
CREATE TABLE tombstones (
  username   TEXT    PRIMARY KEY,
  id         INTEGER NOT NULL,                     -- of the user who had the name
  deleted_at INTEGER NOT NULL,
  deleted_by TEXT    NOT NULL                      -- a user name; empty where it is unknown
) WITHOUT ROWID;
CREATE INDEX tombstones_by_id ON tombstones (id);

-- After the deletion, in the same batch, the Worker writes the time of its clock and who deleted
-- them.
CREATE TRIGGER users_leave_a_tombstone AFTER DELETE ON users
BEGIN
  INSERT INTO past_ids (kind, id) VALUES ('user', OLD.id)
    ON CONFLICT (kind, id) DO UPDATE SET freed = 0;
  INSERT INTO tombstones (username, id, deleted_at, deleted_by)
    VALUES (OLD.username, OLD.id, CAST(unixepoch('subsec') * 1000 AS INTEGER), '')
    ON CONFLICT (username) DO UPDATE
      SET id = excluded.id, deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by;
END;

-- A name never belongs to a user and to a tombstone at once.
CREATE TRIGGER users_take_their_tombstone_away AFTER INSERT ON users
BEGIN
  DELETE FROM tombstones WHERE username = NEW.username;
END;

CREATE TRIGGER units_leave_their_id AFTER DELETE ON units
BEGIN
  INSERT INTO past_ids (kind, id)
    VALUES (iif(OLD.object_type = 'DEPT', 'department', 'group'), OLD.id)
    ON CONFLICT (kind, id) DO NOTHING;
END;

CREATE TRIGGER services_leave_their_id AFTER DELETE ON services
BEGIN
  INSERT INTO past_ids (kind, id) VALUES ('service', OLD.id) ON CONFLICT (kind, id) DO NOTHING;
END;

-- Two more rules of `refusals`. A trigger on users would also refuse writes of the previous
-- release.
ALTER TABLE refusals ADD COLUMN of_names INTEGER
  CONSTRAINT name_of_deleted_user CHECK (rule <> 'name_of_deleted_user');
ALTER TABLE refusals ADD COLUMN of_ids INTEGER
  CONSTRAINT id_of_deleted_user CHECK (rule <> 'id_of_deleted_user');

-- The users that the audit trail records as deleted.
INSERT INTO past_ids (kind, id)
SELECT DISTINCT 'user', json_extract(before, '$.id') FROM audit_events
  WHERE action = 'user.delete' AND json_type(before, '$.id') = 'integer'
    AND json_extract(before, '$.id') NOT IN (SELECT id FROM users);
INSERT OR IGNORE INTO tombstones (username, id, deleted_at, deleted_by)
SELECT target, json_extract(before, '$.id'), at, actor FROM audit_events
  WHERE action = 'user.delete' AND json_type(before, '$.id') = 'integer'
    AND target NOT IN (SELECT username FROM users)
  ORDER BY id DESC;

-- The groups that token apps map claims to. No new group gets an id that a map names.
CREATE TABLE mapped_groups (
  group_id INTEGER NOT NULL,
  app      TEXT    NOT NULL,
  PRIMARY KEY (group_id, app)
) WITHOUT ROWID;
CREATE INDEX mapped_groups_by_app ON mapped_groups (app);
INSERT OR IGNORE INTO mapped_groups (group_id, app)
SELECT groups.value, token_apps.name FROM token_apps, json_each(token_apps.policy, '$.groupMap') groups
  WHERE groups.type = 'integer';

CREATE TRIGGER token_apps_map_groups_on_insert AFTER INSERT ON token_apps
BEGIN
  INSERT OR IGNORE INTO mapped_groups (group_id, app)
    SELECT value, NEW.name FROM json_each(NEW.policy, '$.groupMap') WHERE type = 'integer';
END;

CREATE TRIGGER token_apps_map_groups_on_update AFTER UPDATE OF policy ON token_apps
WHEN NEW.policy <> OLD.policy
BEGIN
  DELETE FROM mapped_groups WHERE app = NEW.name;
  INSERT OR IGNORE INTO mapped_groups (group_id, app)
    SELECT value, NEW.name FROM json_each(NEW.policy, '$.groupMap') WHERE type = 'integer';
END;

CREATE TRIGGER token_apps_map_groups_on_delete AFTER DELETE ON token_apps
BEGIN
  DELETE FROM mapped_groups WHERE app = OLD.name;
END;

-- Creators keep their ids, so the lookup of everything a user created must be cheap.
CREATE INDEX services_by_creator ON services (creator_id) WHERE creator_id IS NOT NULL;
CREATE INDEX token_apps_by_creator ON token_apps (creator_id);
CREATE INDEX node_orders_by_creator ON node_orders (creator_id);
CREATE INDEX machine_keys_by_creator ON machine_keys (created_by);
