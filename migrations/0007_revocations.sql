-- What was issued to the user before this is over, whoever issued it. Milliseconds, and always a whole second, as `iat` is.
ALTER TABLE users ADD COLUMN valid_from INTEGER NOT NULL DEFAULT 0;
-- When the password was last set, so that no session begins by an earlier one.
ALTER TABLE users ADD COLUMN password_set_at INTEGER NOT NULL DEFAULT 0;
