-- One row for each failed sign-in of the last ten minutes. `network` is the client's IPv4 address,
-- or the /64 of its IPv6 address. The table `sign_in_failures` belongs to the previous release and
-- gets no more rows.
CREATE TABLE failed_sign_ins (
  username TEXT    NOT NULL,                       -- as it was claimed
  network  TEXT    NOT NULL,
  at       INTEGER NOT NULL
);
CREATE INDEX failed_sign_ins_by_username ON failed_sign_ins (username, at, network);
CREATE INDEX failed_sign_ins_by_network ON failed_sign_ins (network, at);
CREATE INDEX failed_sign_ins_by_at ON failed_sign_ins (at);
-- The previous release wrote two rows at one time: one for the user name and one for the address.
INSERT INTO failed_sign_ins (username, network, at)
SELECT key, COALESCE((SELECT MIN(of.key) FROM sign_in_failures of WHERE of.scope = 'address' AND of.at = failures.at), 'unknown'), at
FROM sign_in_failures failures WHERE scope = 'username';

-- The networks from which users signed in with their password during the last 30 days: at most 20
-- networks per user, each written once a day.
CREATE TABLE sign_in_networks (
  user_id INTEGER NOT NULL,
  network TEXT    NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, network)
) WITHOUT ROWID;
CREATE INDEX sign_in_networks_by_last_at ON sign_in_networks (last_at);

CREATE TRIGGER sign_in_networks_go_with_their_user AFTER DELETE ON users
BEGIN
  DELETE FROM sign_in_networks WHERE user_id = OLD.id;
END;

-- The key of a summary, by which further events of the same kind find the event that sums them up.
-- NULL for an event of its own.
ALTER TABLE audit_events ADD COLUMN summary TEXT;
CREATE INDEX audit_events_by_summary ON audit_events (summary) WHERE summary IS NOT NULL;
CREATE INDEX audit_events_by_target ON audit_events (target, id);
