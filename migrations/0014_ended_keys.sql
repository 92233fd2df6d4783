-- What was issued to a user before `valid_from` is invalid, and so are the keys that speak for them
-- and were created before it. They are deleted, so that no list shows them and their names are
-- free.
CREATE TRIGGER machine_keys_end_with_what_was_issued AFTER UPDATE OF valid_from ON users
WHEN NEW.valid_from > OLD.valid_from
BEGIN
  DELETE FROM machine_keys WHERE user_id = NEW.id AND created_at < NEW.valid_from;
END;

-- Likewise, no key is created or imported that would be invalid at once.
CREATE TRIGGER machine_keys_are_no_older_than_what_counts BEFORE INSERT ON machine_keys
WHEN EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id AND valid_from > NEW.created_at)
BEGIN
  SELECT RAISE(ABORT, 'maker of the machine key is gone');
END;

DELETE FROM machine_keys WHERE created_at < (SELECT valid_from FROM users WHERE id = user_id);
