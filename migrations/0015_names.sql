-- Names by which others speak of services and permissions, as the AuthZEN API does. A type is a kind of
-- thing of one's own, such as `record`. Under a type a service has at most one name.
CREATE TABLE resource_names (
  type       TEXT    NOT NULL,                     -- case-sensitive
  id         TEXT    NOT NULL,                     -- case-sensitive
  service_id INTEGER NOT NULL,
  PRIMARY KEY (type, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX resource_names_by_service ON resource_names (service_id, type);
CREATE INDEX resource_names_in_order ON resource_names (type, service_id);

-- What the actions of a type are called, beside the names of the permissions themselves.
CREATE TABLE action_names (
  type       TEXT    NOT NULL,
  name       TEXT    NOT NULL,                     -- case-sensitive
  permission TEXT    NOT NULL
    CHECK (permission IN ('ADD', 'VIEW', 'MODIFY', 'DELETE', 'TEST', 'GRANT', 'SHARE', 'RELEASE', 'EXPORT')),
  PRIMARY KEY (type, name)
) WITHOUT ROWID;

-- A deleted service has no name any more.
CREATE TRIGGER services_take_their_names_along AFTER DELETE ON services
BEGIN
  DELETE FROM resource_names WHERE service_id = OLD.id;
END;

-- Searches go on where the last page ended, so they read in the order of services.
CREATE INDEX grants_of_object_by_service ON grants (object_type, object_id, service_id);
CREATE INDEX services_switched_off ON services (id) WHERE auth_enabled = 0;
