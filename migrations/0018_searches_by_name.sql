-- Lists of what has a name that begins with a text, in whatever case. Users and groups have a folded
-- name already. SQLite folds ASCII only, so in other letters these tell case apart.
CREATE INDEX services_by_lower_name ON services (lower(name)) WHERE name IS NOT NULL;
-- The primary key of units begins with the type, so that equal names need the id in the index.
CREATE INDEX departments_by_lower_name ON units (lower(name), id) WHERE object_type = 'DEPT' AND name IS NOT NULL;
CREATE INDEX organizations_by_lower_name ON organizations (lower(name)) WHERE name IS NOT NULL;
CREATE INDEX token_apps_by_lower_name ON token_apps (lower(name));
