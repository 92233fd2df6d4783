-- Secrets of keys that were removed here, alone or with their key, whatever removed them. None of
-- them is accepted again, so an older backup cannot bring them back.
CREATE TABLE past_key_secrets (
  hash TEXT PRIMARY KEY                            -- SHA-256 (hex) of the whole key
) WITHOUT ROWID;

CREATE TRIGGER machine_key_secrets_do_not_come_back AFTER DELETE ON machine_key_secrets
BEGIN
  INSERT OR IGNORE INTO past_key_secrets (hash) VALUES (OLD.hash);
END;
