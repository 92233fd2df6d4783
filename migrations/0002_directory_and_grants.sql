-- Services live in the caller's own systems; what is kept here is what may be done with them. A service that nobody registered is on.
CREATE TABLE services (
  id           INTEGER PRIMARY KEY,
  name         TEXT,
  auth_enabled INTEGER NOT NULL DEFAULT 1,         -- the authorization switch
  creator_id   INTEGER,                            -- NULL where its first grant registered it
  created_at   INTEGER NOT NULL,
  modified_at  INTEGER NOT NULL
);

CREATE TABLE service_apis (
  service_id   INTEGER NOT NULL,
  id           INTEGER NOT NULL,
  name         TEXT,
  auth_enabled INTEGER NOT NULL DEFAULT 1,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (service_id, id)
) WITHOUT ROWID;

-- Departments (DEPT), which may lie below each other, and groups (GROUP).
CREATE TABLE units (
  object_type TEXT    NOT NULL CHECK (object_type IN ('DEPT', 'GROUP')),
  id          INTEGER NOT NULL,
  name        TEXT,
  parent_id   INTEGER CHECK (parent_id IS NULL OR object_type = 'DEPT'),
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (object_type, id)
) WITHOUT ROWID;
CREATE INDEX units_by_parent ON units (parent_id) WHERE parent_id IS NOT NULL;

-- Who is in which department (DEPT) and group (GROUP). In an open directory neither side need be registered.
CREATE TABLE memberships (
  user_id     INTEGER NOT NULL,
  object_type TEXT    NOT NULL CHECK (object_type IN ('DEPT', 'GROUP')),
  object_id   INTEGER NOT NULL,
  PRIMARY KEY (user_id, object_type, object_id)
) WITHOUT ROWID;
CREATE INDEX memberships_by_object ON memberships (object_type, object_id, user_id);

-- Who may do what with a service. `permissions` is a set of bits, in the order of the names: ADD 1, VIEW 2, MODIFY 4, DELETE 8, TEST 16,
-- GRANT 32, SHARE 64, RELEASE 128, EXPORT 256.
CREATE TABLE grants (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
  service_id  INTEGER NOT NULL,
  object_type TEXT    NOT NULL CHECK (object_type IN ('USER', 'DEPT', 'GROUP')),
  object_id   INTEGER NOT NULL,
  permissions INTEGER NOT NULL,
  creator     INTEGER NOT NULL DEFAULT 0,          -- the grant of who created the service: everything, and not to be touched
  created_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX grants_by_object ON grants (service_id, object_type, object_id);
CREATE INDEX grants_in_order ON grants (service_id, object_type, id);
CREATE INDEX grants_by_created_at ON grants (service_id, object_type, created_at, id);
CREATE INDEX grants_of_object ON grants (object_type, object_id);

-- How many grants of a type a service has, so that the total of a list need not count them.
CREATE TABLE grant_counts (
  service_id  INTEGER NOT NULL,
  object_type TEXT    NOT NULL,
  grants      INTEGER NOT NULL,
  PRIMARY KEY (service_id, object_type)
) WITHOUT ROWID;

CREATE TRIGGER grants_count_inserted AFTER INSERT ON grants
BEGIN
  INSERT INTO grant_counts (service_id, object_type, grants) VALUES (NEW.service_id, NEW.object_type, 1)
    ON CONFLICT (service_id, object_type) DO UPDATE SET grants = grants + 1;
END;

CREATE TRIGGER grants_count_deleted AFTER DELETE ON grants
BEGIN
  UPDATE grant_counts SET grants = grants - 1 WHERE service_id = OLD.service_id AND object_type = OLD.object_type;
END;
