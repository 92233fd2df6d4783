-- When a grant counts: from starts_at on, and no longer at expires_at. NULL is no bound. The grant of
-- who created a service counts always, whatever is here.
ALTER TABLE grants ADD COLUMN starts_at INTEGER;
ALTER TABLE grants ADD COLUMN expires_at INTEGER CHECK (starts_at IS NULL OR expires_at IS NULL OR starts_at < expires_at);
CREATE INDEX grants_by_expires_at ON grants (expires_at) WHERE expires_at IS NOT NULL;
