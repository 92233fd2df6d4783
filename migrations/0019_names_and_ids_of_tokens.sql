-- The id of the deleted user who had a freed name. A token gives a freed id only to a user of that
-- name. NULL for names that were freed before this migration, and after another user got the id.
ALTER TABLE freed_names ADD COLUMN id INTEGER;
CREATE INDEX freed_names_by_id ON freed_names (id) WHERE id IS NOT NULL;

-- A token creates no user whose name looks like a deleted user's.
CREATE INDEX tombstones_by_lower_username ON tombstones (lower(username));

CREATE TRIGGER users_take_a_freed_id_from_its_name AFTER INSERT ON users
WHEN EXISTS (SELECT 1 FROM freed_names WHERE id = NEW.id)
BEGIN
  UPDATE freed_names SET id = NULL WHERE id = NEW.id;
END;

-- One more rule of `refusals`.
ALTER TABLE refusals ADD COLUMN of_look_alikes INTEGER
  CONSTRAINT looks_like_another_user CHECK (rule <> 'looks_like_another_user');
