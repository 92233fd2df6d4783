-- Indexes for lists of records whose name begins with a text, ignoring case. Users and groups have
-- a folded name already. SQLite folds only ASCII, so other letters are compared with their case.
CREATE INDEX services_by_lower_name ON services (lower(name)) WHERE name IS NOT NULL;
-- The primary key of units begins with the type, so the index needs the id to order equal names.
CREATE INDEX departments_by_lower_name ON units (lower(name), id) WHERE object_type = 'DEPT' AND name IS NOT NULL;
CREATE INDEX organizations_by_lower_name ON organizations (lower(name)) WHERE name IS NOT NULL;
CREATE INDEX token_apps_by_lower_name ON token_apps (lower(name));
