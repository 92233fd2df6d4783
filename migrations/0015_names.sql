-- Names that other systems give to services and permissions, as in the AuthZEN API. A type is a
-- kind of resource that the operator names, such as `record`. A service has at most one name of
-- each type.
CREATE TABLE resource_names (
  type       TEXT    NOT NULL,                     -- case-sensitive
  id         TEXT    NOT NULL,                     -- case-sensitive
  service_id INTEGER NOT NULL,
  PRIMARY KEY (type, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX resource_names_by_service ON resource_names (service_id, type);
CREATE INDEX resource_names_in_order ON resource_names (type, service_id);

-- The names of a type's actions, in addition to the names of the permissions.
CREATE TABLE action_names (
  type       TEXT    NOT NULL,
  name       TEXT    NOT NULL,                     -- case-sensitive
  permission TEXT    NOT NULL
    CHECK (permission IN ('ADD', 'VIEW', 'MODIFY', 'DELETE', 'TEST', 'GRANT', 'SHARE', 'RELEASE', 'EXPORT')),
  PRIMARY KEY (type, name)
) WITHOUT ROWID;

-- Deleting a service deletes its names.
CREATE TRIGGER services_take_their_names_along AFTER DELETE ON services
BEGIN
  DELETE FROM resource_names WHERE service_id = OLD.id;
END;

-- Searches continue where the last page ended, so they read in the order of services.
CREATE INDEX grants_of_object_by_service ON grants (object_type, object_id, service_id);
CREATE INDEX services_switched_off ON services (id) WHERE auth_enabled = 0;
