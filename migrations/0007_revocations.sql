-- Whatever was issued to the user before this time is invalid, whoever issued it. Milliseconds,
-- always a whole second, as `iat` is.
ALTER TABLE users ADD COLUMN valid_from INTEGER NOT NULL DEFAULT 0;
-- When the password was last set. A session that began by an earlier password check is refused.
ALTER TABLE users ADD COLUMN password_set_at INTEGER NOT NULL DEFAULT 0;
