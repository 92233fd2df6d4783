-- Provisioning's rows must belong to an existing user or group. Otherwise whoever got that id later
-- would be provisioned from the start, and no administrator would have decided it.
DELETE FROM provisioned_users WHERE user_id NOT IN (SELECT id FROM users);
DELETE FROM provisioned_groups
  WHERE group_id NOT IN (SELECT id FROM units WHERE object_type = 'GROUP');

CREATE TRIGGER provisioned_users_are_users BEFORE INSERT ON provisioned_users
WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id)
BEGIN
  SELECT RAISE(ABORT, 'provisioned user is no user');
END;

CREATE TRIGGER provisioned_groups_are_groups BEFORE INSERT ON provisioned_groups
WHEN NOT EXISTS (SELECT 1 FROM units WHERE object_type = 'GROUP' AND id = NEW.group_id)
BEGIN
  SELECT RAISE(ABORT, 'provisioned group is no group');
END;

-- Any change of a name also sets its folded form, if SQLite can fold it. The Worker folds other
-- names; the scheduled event folds those that are still NULL.
CREATE TRIGGER users_fold_their_new_name AFTER UPDATE OF username ON users
WHEN NEW.username IS NOT OLD.username AND NEW.username_folded IS OLD.username_folded
BEGIN
  UPDATE users SET username_folded = CASE WHEN NEW.username NOT GLOB '*[^ -~]*' THEN lower(NEW.username) END
    WHERE id = NEW.id;
END;

-- Names of deleted users that an administrator freed. A token may create a user with such a name.
-- What was issued to the deleted user stays invalid: whoever gets the name, in whatever way, has a
-- `valid_from` after the deletion.
CREATE TABLE freed_names (
  username   TEXT    PRIMARY KEY,
  deleted_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER users_are_not_whom_a_freed_name_meant AFTER INSERT ON users
WHEN EXISTS (SELECT 1 FROM freed_names WHERE username = NEW.username)
BEGIN
  UPDATE users
    SET valid_from = MAX(valid_from, (SELECT (deleted_at / 1000 + 1) * 1000 FROM freed_names
                                      WHERE username = NEW.username))
    WHERE id = NEW.id;
  DELETE FROM freed_names WHERE username = NEW.username;
END;

ALTER TABLE refusals ADD COLUMN of_tokens INTEGER
  CONSTRAINT token_of_deleted_user CHECK (rule <> 'token_of_deleted_user');
