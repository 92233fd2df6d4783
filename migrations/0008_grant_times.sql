-- The period in which a grant is valid: from starts_at on, until before expires_at. NULL is no
-- bound. The creator's grant is always valid, whatever these columns hold.
ALTER TABLE grants ADD COLUMN starts_at INTEGER;
ALTER TABLE grants ADD COLUMN expires_at INTEGER CHECK (starts_at IS NULL OR expires_at IS NULL OR starts_at < expires_at);
CREATE INDEX grants_by_expires_at ON grants (expires_at) WHERE expires_at IS NOT NULL;
