-- The id of the deleted user who had a freed name. A token gives a freed id only to a user of that
-- name. NULL for names that were freed before this migration, and after another user got the id.
ALTER TABLE freed_names ADD COLUMN id INTEGER;
CREATE INDEX freed_names_by_id ON freed_names (id) WHERE id IS NOT NULL;

-- A token creates no user whose name looks like a deleted user's. The folded name is that of
-- `users`. As there, a trigger folds ASCII names, and the scheduled event those that are still NULL.
ALTER TABLE tombstones ADD COLUMN username_folded TEXT;
UPDATE tombstones SET username_folded = lower(username) WHERE username NOT GLOB '*[^ -~]*';
CREATE INDEX tombstones_by_username_folded ON tombstones (username_folded);
CREATE INDEX tombstones_unfolded ON tombstones (username) WHERE username_folded IS NULL;

CREATE TRIGGER tombstones_fold_their_name AFTER INSERT ON tombstones
WHEN NEW.username_folded IS NULL AND NEW.username NOT GLOB '*[^ -~]*'
BEGIN
  UPDATE tombstones SET username_folded = lower(NEW.username) WHERE username = NEW.username;
END;

-- These two add the folded name to the tombstone that another trigger makes, whichever of them
-- SQLite runs first.
CREATE TRIGGER users_leave_their_folded_name AFTER DELETE ON users
WHEN OLD.username_folded IS NOT NULL
BEGIN
  INSERT INTO tombstones (username, id, deleted_at, deleted_by, username_folded)
    VALUES (OLD.username, OLD.id, CAST(unixepoch('subsec') * 1000 AS INTEGER), '',
            OLD.username_folded)
    ON CONFLICT (username) DO UPDATE SET username_folded = excluded.username_folded;
END;

CREATE TRIGGER users_leave_their_old_folded_name AFTER UPDATE OF username ON users
WHEN NEW.username IS NOT OLD.username AND OLD.username_folded IS NOT NULL
BEGIN
  INSERT INTO tombstones (username, id, deleted_at, deleted_by, username_folded)
    VALUES (OLD.username, 0, CAST(unixepoch('subsec') * 1000 AS INTEGER), '', OLD.username_folded)
    ON CONFLICT (username) DO UPDATE SET username_folded = excluded.username_folded;
END;

CREATE TRIGGER users_take_a_freed_id_from_its_name AFTER INSERT ON users
WHEN EXISTS (SELECT 1 FROM freed_names WHERE id = NEW.id)
BEGIN
  UPDATE freed_names SET id = NULL WHERE id = NEW.id;
END;

-- One more rule of `refusals`.
ALTER TABLE refusals ADD COLUMN of_look_alikes INTEGER
  CONSTRAINT looks_like_another_user CHECK (rule <> 'looks_like_another_user');
