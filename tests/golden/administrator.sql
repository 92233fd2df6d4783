-- The first administrator, as their first sign-in creates them, but for the password's hash: it costs
-- nothing to verify. A transcript that begins with their credential begins with this. `NOW` stands for
-- the time in epoch milliseconds.
UPDATE id_counters SET last = 1 WHERE kind = 'user';
INSERT INTO users (id, username, type, roles, password, created_at, modified_at)
VALUES (1, 'admin', 'Administrator', '["Administrator"]',
  '$argon2id$v=19$m=8,t=1,p=1$cG9zdGVybi10ZXN0aW5nLg$WLnjxTvnbL5skCsjmTdDl93fS6S9ABo4vM4DNd2ytpc', NOW, NOW);
INSERT INTO changes (kind, key, at) VALUES ('user', '1', NOW);
INSERT INTO audit_events (at, actor, action, target, after, request_id)
VALUES (NOW, '[first administrator]', 'user.create', 'admin',
  '{"name":null,"email":null,"phone":null,"type":"Administrator","roles":["Administrator"],"enabled":true,"id":1}',
  '00000000-0000-4000-8000-000000000000');
