-- The database of release 0.1.0, made by make_fixture.mjs.

CREATE TABLE d1_migrations(
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);
INSERT INTO d1_migrations (name) VALUES ('0001_identity_and_token_apps.sql');
INSERT INTO d1_migrations (name) VALUES ('0002_directory_and_grants.sql');
INSERT INTO d1_migrations (name) VALUES ('0003_applications_and_nodes.sql');

CREATE TABLE users (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
  username    TEXT    NOT NULL UNIQUE,             -- case-sensitive
  name        TEXT,
  email       TEXT,
  phone       TEXT,
  type        TEXT    NOT NULL CHECK (type IN ('Administrator', 'SYS_Creator', 'SYS_Reader')),
  roles       TEXT    NOT NULL DEFAULT '[]',       -- JSON array of strings
  enabled     INTEGER NOT NULL DEFAULT 1,
  password    TEXT,
  created_at  INTEGER NOT NULL,
  modified_at INTEGER NOT NULL
);
INSERT INTO users VALUES (1, 'admin', NULL, NULL, NULL, 'Administrator', '["Administrator"]', 1, '$argon2id$v=19$m=19456,t=2,p=1$x8B+7O+uw+Ye4f4IcLV2Zw$flB9GL501dVjZnjB4Q1GHCFemS+yxCoyBQ17H51HVkk', 1795730579026, 1795730579026);
INSERT INTO users VALUES (2, 'carol', 'Carol', 'carol@example.com', '1', 'SYS_Reader', '["SYS_Reader"]', 1, '$argon2id$v=19$m=19456,t=2,p=1$eu/xxAXlH7YeN6rCm3M9iQ$RQmCmMHhysEcHO9FTvyi1dCfIet60s2Rm11OPZ3Asx0', 1795730579639, 1795730579639);
INSERT INTO users VALUES (3, 'dan', NULL, NULL, NULL, 'SYS_Creator', '["SYS_Creator"]', 1, '$argon2id$v=19$m=19456,t=2,p=1$8sV0Oh4c9jlY4r42sX2P7Q$cbnzh+oROdgN660Ke7V8zN5nrHHyuwiCc4M7ChoVDms', 1795730579900, 1795730579900);
INSERT INTO users VALUES (4, 'eve', NULL, NULL, NULL, 'SYS_Reader', '["A","B"]', 0, NULL, 1795730579987, 1795730579987);
INSERT INTO users VALUES (5, 'alice', 'Alice', 'alice@example.com', NULL, 'SYS_Reader', '["SYS_Reader"]', 1, '$argon2id$v=19$m=19456,t=2,p=1$/KutK3otlti01X27n50dow$wijJUMVS0RiyjeXYsirvpZl4OTITEjbeumSzKvAQsHY', 1795730580288, 1795730580288);
INSERT INTO users VALUES (6, 'bob', NULL, NULL, NULL, 'SYS_Reader', '["SYS_Reader"]', 1, NULL, 1795730580356, 1795730580356);

CREATE TABLE sessions (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  token_hash  TEXT    NOT NULL UNIQUE,
  cookie_hash TEXT    NOT NULL UNIQUE,
  user_id     INTEGER NOT NULL,
  address     TEXT,                                -- where it was issued to
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
);
INSERT INTO sessions VALUES (1, '725fe933deaa279f90e91c32eb07b21f8d088591fb3faf00bf87f1109b815610', 'd52c497008dcae07a27ec53382d3f01d602e416c87276f8f31bdaa86dd6454f2', 1, NULL, 1795730579026, 1795773779026);
INSERT INTO sessions VALUES (2, '7588dcc690028b848c68e3c8e311e1ce51dfd90302cfc9de6dedae6532234fa1', '208f2b98f2a07fe67885c7ef97a1a7c864052227d205d262cf21e80e7dc8dcb5', 1, NULL, 1795730579429, 1795773779429);

CREATE TABLE token_apps (
  name             TEXT    PRIMARY KEY,            -- case-sensitive
  token_name       TEXT    NOT NULL,               -- the URL parameter that carries the token
  secret           TEXT    NOT NULL,               -- AES-256-GCM under MASTER_KEY
  secret_key_id    TEXT    NOT NULL,               -- which MASTER_KEY
  expire_s         INTEGER NOT NULL,
  claim_username   TEXT    NOT NULL,               -- names of claims
  claim_name       TEXT    NOT NULL,
  claim_email      TEXT    NOT NULL,
  algorithm        TEXT    NOT NULL,
  enabled          INTEGER NOT NULL,
  creates_users    INTEGER NOT NULL,
  initial_roles    TEXT    NOT NULL,               -- JSON array of strings
  initial_password TEXT,                           -- Argon2id PHC string
  creator_id       INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  modified_at      INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO token_apps VALUES ('CRM', 'crm', 'v1.490d2178.Tjm9lh-yPi2a0UEFIKjk78JkNVHkCUzdYZwX0qD9OfzV8gnpz8i8ZRETuAxHvn1JFvp-hC_8gDznLbnQC0mI2VY5dqqs10nAhaXb2wb3o12uTjM04yDt-4ycBi5bkApED_09S1ymVo713Z_RTdW8HwFO7vl1Vq3r_fK9nkNV_wzZfcwy0eao3gwvAnsa3LURn_8H-urepiYC69R616HprUNaJU9dwujQx0z-p23X02lR9OPPAb4bFUCWM5kvlFpJvkqrjFotHG7UPmRtI3CNfAGvFOw1Sm_f8BjCe54bIqd5kHYKFdJhpuKW3D4F-bWjTiOTxXATCNw2ZZxP_NPVcXnR5fZm-TfXK9uVLcl4AqSFnpw6EGUrFx_8bZO4utFrd8r47o2JDtdxiX9oq1d9hTy7Ld790KYHLeCHBSO5Bsfw2AnBf4wBU3RSugnG1j97JoouI3tT6D0PrjB7pEMwdXNFU4zadyqJrUV5bbXa6EtOdHI3AdBZqCH35bFBvCydN8atdu5wBRAj6t16ShCXXBYTQIGf-jUk7Q_4VOoCMRevXfKWmW2J8HY_aHq4ymT-vgTU7n5eXfWWvnZbjAII--G8BlrjkTkDRBI1DIS6Ncse4asglBuQl1-41ri1_Sk', '490d2178', 86400, 'loginname', 'name', 'email', 'RS256', 1, 1, '["SYS_Reader"]', NULL, 1, 1795730580167, 1795730580167);
INSERT INTO token_apps VALUES ('ERP', 'token', 'v1.490d2178.vtVshtJLw3KoEqO3gK6p_JaJ00vIonBkRwC7iwBoW6Q', '490d2178', 86400, 'loginname', 'name', 'email', 'HS256', 1, 1, '["SYS_Reader"]', '$argon2id$v=19$m=19456,t=2,p=1$/KutK3otlti01X27n50dow$wijJUMVS0RiyjeXYsirvpZl4OTITEjbeumSzKvAQsHY', 1, 1795730580012, 1795730580012);
INSERT INTO token_apps VALUES ('OFF', 'off', 'v1.490d2178.zP-6_VXNNxikXZ1GMhUqAT1iwczFyN0zyKy8vCr3Z-7LUBDu__xqirxNvMMl6W0l', '490d2178', 86400, 'loginname', 'name', 'email', 'HS256', 0, 1, '["SYS_Reader"]', NULL, 1, 1795730580237, 1795730580237);
INSERT INTO token_apps VALUES ('SSO', 'sso', 'v1.490d2178.Yity_g_DHpmGRm1b8K9ATssecyMCQC0HxKsLL66y_bJrododXROmN33c3-f-DfCu5FCbOJ1JIx06cv05', '490d2178', 86400, 'loginname', 'name', 'email', 'EdDSA', 1, 1, '["SYS_Reader"]', NULL, 1, 1795730580203, 1795730580203);

CREATE TABLE changes (
  revision INTEGER PRIMARY KEY AUTOINCREMENT,
  kind     TEXT    NOT NULL,                       -- 'token_app', 'user', 'session', 'start'
  key      TEXT    NOT NULL,                       -- the name, the id, the id
  at       INTEGER NOT NULL
);
INSERT INTO changes VALUES (2, 'user', '1', 1795730579026);
INSERT INTO changes VALUES (3, 'user', '2', 1795730579639);
INSERT INTO changes VALUES (4, 'user', '3', 1795730579900);
INSERT INTO changes VALUES (5, 'user', '4', 1795730579987);
INSERT INTO changes VALUES (6, 'token_app', 'ERP', 1795730580012);
INSERT INTO changes VALUES (7, 'token_app', 'CRM', 1795730580167);
INSERT INTO changes VALUES (8, 'token_app', 'SSO', 1795730580203);
INSERT INTO changes VALUES (9, 'token_app', 'OFF', 1795730580237);
INSERT INTO changes VALUES (10, 'user', '5', 1795730580288);
INSERT INTO changes VALUES (11, 'user', '6', 1795730580356);
INSERT INTO changes VALUES (12, 'directory', '', 1795730580559);
INSERT INTO changes VALUES (13, 'directory', '', 1795730580599);
INSERT INTO changes VALUES (14, 'directory', '', 1795730580715);
INSERT INTO changes VALUES (15, 'directory', '', 1795730580769);
INSERT INTO changes VALUES (16, 'directory', '', 1795730580803);
INSERT INTO changes VALUES (17, 'membership', '6', 1795730580879);
INSERT INTO changes VALUES (18, 'membership', '2', 1795730580896);
INSERT INTO changes VALUES (19, 'grant', '1/5', 1795730580913);
INSERT INTO changes VALUES (20, 'service', '1', 1795730580930);
INSERT INTO changes VALUES (21, 'service', '1', 1795730580947);
INSERT INTO changes VALUES (22, 'grant', '9007199254740993/5', 1795730580967);
INSERT INTO changes VALUES (23, 'service', '2', 1795730580984);
INSERT INTO changes VALUES (24, 'application', 'key', 1795730581064);
INSERT INTO changes VALUES (25, 'application', 'other', 1795730581095);
INSERT INTO changes VALUES (26, 'application', 'key', 1795730581126);
INSERT INTO changes VALUES (27, 'application', 'key', 1795730581166);
INSERT INTO changes VALUES (28, 'user', '7', 1795730582634);
INSERT INTO changes VALUES (29, 'user', '7', 1795730582659);

CREATE TABLE sign_in_failures (
  scope TEXT    NOT NULL CHECK (scope IN ('username', 'address')),
  key   TEXT    NOT NULL,
  at    INTEGER NOT NULL
);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730581392);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.1', 1795730581392);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730581502);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.2', 1795730581502);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730581627);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.3', 1795730581627);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730581750);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.4', 1795730581750);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730581864);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.5', 1795730581864);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730581971);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.6', 1795730581971);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730582103);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.7', 1795730582103);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730582234);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.8', 1795730582234);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730582370);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.9', 1795730582370);
INSERT INTO sign_in_failures VALUES ('username', 'mallory', 1795730582496);
INSERT INTO sign_in_failures VALUES ('address', '192.0.2.10', 1795730582496);

CREATE TABLE audit_events (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL,                     -- a user name, or what was claimed at a failed sign-in
  actor_id   INTEGER,
  address    TEXT,
  action     TEXT    NOT NULL,
  target     TEXT    NOT NULL,
  before     TEXT,
  after      TEXT,
  request_id TEXT    NOT NULL
);
INSERT INTO audit_events VALUES (1, 1795730579026, '[first administrator]', NULL, NULL, 'user.create', 'admin', NULL, '{"name":null,"email":null,"phone":null,"type":"Administrator","roles":["Administrator"],"enabled":true}', 'c3c237d7-78fe-44fa-bba3-227c590f587b');
INSERT INTO audit_events VALUES (2, 1795730579026, 'admin', 1, NULL, 'token.issue', 'admin', NULL, NULL, 'c3c237d7-78fe-44fa-bba3-227c590f587b');
INSERT INTO audit_events VALUES (3, 1795730579429, 'admin', 1, NULL, 'token.issue', 'admin', NULL, NULL, 'e578a7ca-db29-4847-a316-bb2e1a026244');
INSERT INTO audit_events VALUES (4, 1795730579639, 'admin', 1, NULL, 'user.create', 'carol', NULL, '{"name":"Carol","email":"carol@example.com","phone":"1","type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true}', '8522e9f4-798d-4fd4-9850-4e6df423552b');
INSERT INTO audit_events VALUES (5, 1795730579900, 'admin', 1, NULL, 'user.create', 'dan', NULL, '{"name":null,"email":null,"phone":null,"type":"SYS_Creator","roles":["SYS_Creator"],"enabled":true}', 'aa46004a-bf56-4c18-8697-fee2d6fdb3aa');
INSERT INTO audit_events VALUES (6, 1795730579987, 'admin', 1, NULL, 'user.create', 'eve', NULL, '{"name":null,"email":null,"phone":null,"type":"SYS_Reader","roles":["A","B"],"enabled":false}', 'f42ef0b5-c9ce-40fb-943a-44bf2d1e8fdd');
INSERT INTO audit_events VALUES (7, 1795730580012, 'admin', 1, NULL, 'token_app.create', 'ERP', NULL, '{"token_name":"token","algorithm":"HS256","expire":86400,"fieldmap":{"username":"loginname","name":"name","email":"email"},"enable":true,"inituser":true,"initroles":["SYS_Reader"]}', '909a1f2d-a4a6-46d2-abb8-4b5c41cc336d');
INSERT INTO audit_events VALUES (8, 1795730580167, 'admin', 1, NULL, 'token_app.create', 'CRM', NULL, '{"token_name":"crm","algorithm":"RS256","expire":86400,"fieldmap":{"username":"loginname","name":"name","email":"email"},"enable":true,"inituser":true,"initroles":["SYS_Reader"]}', '439d7666-a3d9-4af6-a0eb-d911d71fb77b');
INSERT INTO audit_events VALUES (9, 1795730580203, 'admin', 1, NULL, 'token_app.create', 'SSO', NULL, '{"token_name":"sso","algorithm":"EdDSA","expire":86400,"fieldmap":{"username":"loginname","name":"name","email":"email"},"enable":true,"inituser":true,"initroles":["SYS_Reader"]}', 'd36c8436-632d-4165-b99c-1a0629997329');
INSERT INTO audit_events VALUES (10, 1795730580237, 'admin', 1, NULL, 'token_app.create', 'OFF', NULL, '{"token_name":"off","algorithm":"HS256","expire":86400,"fieldmap":{"username":"loginname","name":"name","email":"email"},"enable":false,"inituser":true,"initroles":["SYS_Reader"]}', '13d08285-f3ff-4654-b6c5-1911c5383aac');
INSERT INTO audit_events VALUES (11, 1795730580288, '[token app ERP]', NULL, NULL, 'user.create', 'alice', NULL, '{"name":"Alice","email":"alice@example.com","phone":null,"type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true}', 'ad48a2e0-f597-4bd8-8af5-40d881c9c445');
INSERT INTO audit_events VALUES (12, 1795730580356, '[token app CRM]', NULL, NULL, 'user.create', 'bob', NULL, '{"name":null,"email":null,"phone":null,"type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true}', 'b336ede5-f294-4c33-91ae-b90f83d8f617');
INSERT INTO audit_events VALUES (13, 1795730580559, 'admin', 1, NULL, 'service.create', '1', NULL, '{"name":"Orders","authEnabled":true}', '82d72aaf-5fd8-40ce-9e5c-9eff2f2444fb');
INSERT INTO audit_events VALUES (14, 1795730580599, 'admin', 1, NULL, 'service.create', '2', NULL, '{"name":"Stock","authEnabled":true}', 'bb6814e3-798f-4caa-862e-7d288bc3a87c');
INSERT INTO audit_events VALUES (15, 1795730580648, 'admin', 1, NULL, 'api.put', '1/1', NULL, '{"name":"List","authEnabled":false}', '457da66b-e7aa-40e4-a2d2-e8af4e1dcb54');
INSERT INTO audit_events VALUES (16, 1795730580715, 'admin', 1, NULL, 'department.create', '1', NULL, '{"name":"Sales","parentId":null}', 'ce2b02b3-8e3b-4573-8fb7-4d41eb1a3b30');
INSERT INTO audit_events VALUES (17, 1795730580769, 'admin', 1, NULL, 'department.create', '2', NULL, '{"name":"Europe","parentId":1}', '929a9440-6afa-4b88-aa20-83bc4d58a008');
INSERT INTO audit_events VALUES (18, 1795730580803, 'admin', 1, NULL, 'group.create', '1', NULL, '{"name":"Testers","parentId":null}', 'd8519bba-0fb3-4f7e-b708-f27f089f8628');
INSERT INTO audit_events VALUES (19, 1795730580879, 'admin', 1, NULL, 'department.add_member', '2/6', NULL, NULL, '791cb30e-2f3e-4b81-99c8-99e6bba4e14f');
INSERT INTO audit_events VALUES (20, 1795730580896, 'admin', 1, NULL, 'group.add_member', '1/2', NULL, NULL, '1129b486-405c-4a12-8141-4fc7a2746257');
INSERT INTO audit_events VALUES (21, 1795730580913, 'admin', 1, NULL, 'grant.create', '1/USER/5', NULL, '{"permissions":["VIEW","TEST"]}', '847c657f-03ee-4b70-b2e3-bfc169e5636e');
INSERT INTO audit_events VALUES (22, 1795730580930, 'admin', 1, NULL, 'grant.create', '1/DEPT/1', NULL, '{"permissions":["VIEW","MODIFY","EXPORT"]}', '184f3c04-67a5-4b27-83d7-271db0612b86');
INSERT INTO audit_events VALUES (23, 1795730580947, 'admin', 1, NULL, 'grant.create', '1/GROUP/1', NULL, '{"permissions":["VIEW","DELETE"]}', '198a3905-091e-4771-b004-7f65ec106875');
INSERT INTO audit_events VALUES (24, 1795730580967, 'admin', 1, NULL, 'grant.create', '9007199254740993/USER/5', NULL, '{"permissions":["VIEW","SHARE"]}', '763238aa-89c8-4bbd-869b-63f9308c6ccd');
INSERT INTO audit_events VALUES (25, 1795730580984, 'admin', 1, NULL, 'service.switch', '2', '{"authEnabled":true}', '{"authEnabled":false}', '80e8aa53-e11e-43f0-8873-cac1b9137463');
INSERT INTO audit_events VALUES (26, 1795730581027, 'admin', 1, NULL, 'organization.create', '1', NULL, '{"name":"Wind"}', '4f403dba-8126-4363-a9eb-b7153f8f2ed5');
INSERT INTO audit_events VALUES (27, 1795730581064, 'admin', 1, NULL, 'application.create', 'key', NULL, '{"organization":"1","name":"Console","shortcut":false,"authorizeApplications":true,"enabled":true}', 'd026d83a-7d21-4c40-a7cc-25b0a938e616');
INSERT INTO audit_events VALUES (28, 1795730581095, 'admin', 1, NULL, 'application.create', 'other', NULL, '{"organization":"1","name":null,"shortcut":false,"authorizeApplications":false,"enabled":false}', '0dcaa317-0e2c-4ed8-9932-a22b0a355016');
INSERT INTO audit_events VALUES (29, 1795730581126, '[application key]', NULL, NULL, 'access_token.issue', 'key', NULL, NULL, 'ae05c979-6b59-4745-9f0c-6385a854e734');
INSERT INTO audit_events VALUES (30, 1795730581166, '[application key]', NULL, NULL, 'application.authorize', '1/key', '{"dataAuthorizeType":[]}', '{"dataAuthorizeType":["USER","ROLE"]}', '65c73c55-06a4-4c60-ad93-415ca0ab0cb7');
INSERT INTO audit_events VALUES (31, 1795730581237, 'dan', 3, NULL, 'node.order', 'iserver', NULL, '{"nodeSpec":"MEDIUM","nodeCount":2,"physicalMachineName":"rack"}', 'ce2a3a25-b9fa-4c8d-93c1-6ebca6e6e736');
INSERT INTO audit_events VALUES (32, 1795730581367, 'dan', 3, NULL, 'node.order', 'iserver', NULL, '{"nodeSpec":"MEDIUM","nodeCount":2,"physicalMachineName":"rack"}', '69beae0e-4430-4ff1-a09a-8611d5745907');
INSERT INTO audit_events VALUES (33, 1795730581392, 'mallory', NULL, '192.0.2.1', 'sign_in.fail', 'mallory', NULL, NULL, 'b46a4a84-7e09-47c7-ad02-dc8cdfd0f848');
INSERT INTO audit_events VALUES (34, 1795730581502, 'mallory', NULL, '192.0.2.2', 'sign_in.fail', 'mallory', NULL, NULL, '125043a9-f118-44dd-aa2b-4284d0d9067d');
INSERT INTO audit_events VALUES (35, 1795730581627, 'mallory', NULL, '192.0.2.3', 'sign_in.fail', 'mallory', NULL, NULL, '35be86cb-8a53-429a-9210-b7bf29c17884');
INSERT INTO audit_events VALUES (36, 1795730581750, 'mallory', NULL, '192.0.2.4', 'sign_in.fail', 'mallory', NULL, NULL, '509f174a-02b2-46f6-a419-c2b708cd94be');
INSERT INTO audit_events VALUES (37, 1795730581864, 'mallory', NULL, '192.0.2.5', 'sign_in.fail', 'mallory', NULL, NULL, '80e5ad4b-1f1c-4365-8a46-5eb31fdae1e0');
INSERT INTO audit_events VALUES (38, 1795730581971, 'mallory', NULL, '192.0.2.6', 'sign_in.fail', 'mallory', NULL, NULL, '237a449c-2d62-42b0-80fc-5c700ae45a47');
INSERT INTO audit_events VALUES (39, 1795730582103, 'mallory', NULL, '192.0.2.7', 'sign_in.fail', 'mallory', NULL, NULL, '4809fd9b-09b0-4d47-96cb-2b63d15776b4');
INSERT INTO audit_events VALUES (40, 1795730582234, 'mallory', NULL, '192.0.2.8', 'sign_in.fail', 'mallory', NULL, NULL, '646729cc-98c0-46c4-a79a-8f322cfbd24b');
INSERT INTO audit_events VALUES (41, 1795730582370, 'mallory', NULL, '192.0.2.9', 'sign_in.fail', 'mallory', NULL, NULL, 'f6aba9cf-1446-45aa-8ec3-39ef77e74099');
INSERT INTO audit_events VALUES (42, 1795730582496, 'mallory', NULL, '192.0.2.10', 'sign_in.fail', 'mallory', NULL, NULL, '8a52e46c-c39b-4c9e-8c33-e04d25951863');
INSERT INTO audit_events VALUES (43, 1795730582634, 'admin', 1, NULL, 'user.create', 'gone', NULL, '{"name":null,"email":null,"phone":null,"type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true}', 'eeff8c79-2b88-47f9-aab2-44130306a8f2');
INSERT INTO audit_events VALUES (44, 1795730582659, 'admin', 1, NULL, 'user.delete', 'gone', '{"name":null,"email":null,"phone":null,"type":"SYS_Reader","roles":["SYS_Reader"],"enabled":true,"id":7}', NULL, '015a9153-6728-4fe1-808d-cce8c61ed3d5');

CREATE TABLE services (
  id           INTEGER PRIMARY KEY,
  name         TEXT,
  auth_enabled INTEGER NOT NULL DEFAULT 1,         -- the authorization switch
  creator_id   INTEGER,                            -- NULL where its first grant registered it
  created_at   INTEGER NOT NULL,
  modified_at  INTEGER NOT NULL
);
INSERT INTO services VALUES (1, 'Orders', 1, 1, 1795730580559, 1795730580559);
INSERT INTO services VALUES (2, 'Stock', 0, 1, 1795730580599, 1795730580984);
INSERT INTO services VALUES (9007199254740993, NULL, 1, NULL, 1795730580967, 1795730580967);

CREATE TABLE service_apis (
  service_id   INTEGER NOT NULL,
  id           INTEGER NOT NULL,
  name         TEXT,
  auth_enabled INTEGER NOT NULL DEFAULT 1,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (service_id, id)
) WITHOUT ROWID;
INSERT INTO service_apis VALUES (1, 1, 'List', 0, 1795730580648);

CREATE TABLE units (
  object_type TEXT    NOT NULL CHECK (object_type IN ('DEPT', 'GROUP')),
  id          INTEGER NOT NULL,
  name        TEXT,
  parent_id   INTEGER CHECK (parent_id IS NULL OR object_type = 'DEPT'),
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (object_type, id)
) WITHOUT ROWID;
INSERT INTO units VALUES ('DEPT', 1, 'Sales', NULL, 1795730580715);
INSERT INTO units VALUES ('DEPT', 2, 'Europe', 1, 1795730580769);
INSERT INTO units VALUES ('GROUP', 1, 'Testers', NULL, 1795730580803);

CREATE TABLE memberships (
  user_id     INTEGER NOT NULL,
  object_type TEXT    NOT NULL CHECK (object_type IN ('DEPT', 'GROUP')),
  object_id   INTEGER NOT NULL,
  PRIMARY KEY (user_id, object_type, object_id)
) WITHOUT ROWID;
INSERT INTO memberships VALUES (6, 'DEPT', 2);
INSERT INTO memberships VALUES (2, 'GROUP', 1);

CREATE TABLE grants (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
  service_id  INTEGER NOT NULL,
  object_type TEXT    NOT NULL CHECK (object_type IN ('USER', 'DEPT', 'GROUP')),
  object_id   INTEGER NOT NULL,
  permissions INTEGER NOT NULL,
  creator     INTEGER NOT NULL DEFAULT 0,          -- the grant of who created the service: everything, and not to be touched
  created_at  INTEGER NOT NULL
);
INSERT INTO grants VALUES (1, 1, 'USER', 1, 511, 1, 1795730580559);
INSERT INTO grants VALUES (2, 2, 'USER', 1, 511, 1, 1795730580599);
INSERT INTO grants VALUES (3, 1, 'USER', 5, 18, 0, 1795730580913);
INSERT INTO grants VALUES (4, 1, 'DEPT', 1, 262, 0, 1795730580930);
INSERT INTO grants VALUES (5, 1, 'GROUP', 1, 10, 0, 1795730580947);
INSERT INTO grants VALUES (6, 9007199254740993, 'USER', 5, 66, 0, 1795730580967);

CREATE TABLE grant_counts (
  service_id  INTEGER NOT NULL,
  object_type TEXT    NOT NULL,
  grants      INTEGER NOT NULL,
  PRIMARY KEY (service_id, object_type)
) WITHOUT ROWID;
INSERT INTO grant_counts VALUES (1, 'DEPT', 1);
INSERT INTO grant_counts VALUES (1, 'GROUP', 1);
INSERT INTO grant_counts VALUES (1, 'USER', 2);
INSERT INTO grant_counts VALUES (2, 'USER', 1);
INSERT INTO grant_counts VALUES (9007199254740993, 'USER', 1);

CREATE TABLE organizations (
  id          TEXT    PRIMARY KEY,                 -- case-sensitive
  name        TEXT,
  created_at  INTEGER NOT NULL,
  modified_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO organizations VALUES ('1', 'Wind', 1795730581027, 1795730581027);

CREATE TABLE applications (
  access_key       TEXT    PRIMARY KEY,            -- case-sensitive
  organization_id  TEXT    NOT NULL,
  name             TEXT,
  shortcut         INTEGER NOT NULL DEFAULT 0,     -- a link to something else: nothing is authorized
  authorizes       INTEGER NOT NULL DEFAULT 0,     -- may authorize the applications of its organization
  enabled          INTEGER NOT NULL DEFAULT 1,
  authorizations   INTEGER NOT NULL DEFAULT 0,
  secret           TEXT,                           -- NULL: it cannot sign
  secret_key_id    TEXT,                           -- which MASTER_KEY
  token            TEXT,                           -- the access token, where there is one
  token_key_id     TEXT,
  token_hash       TEXT    UNIQUE,                 -- SHA-256 (hex)
  token_expires_at INTEGER,
  created_at       INTEGER NOT NULL,
  modified_at      INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO applications VALUES ('key', '1', 'Console', 0, 1, 1, 5, 'v1.490d2178.9tVNiVnY1wAQGewotMpbnBrgLxLUDLZ3sZGdSZQFzv-ojTAcHjRbWCeGycLZUiuIvMC2U31Mi_IRpwKvZF-JwokJG9ERCz0', '490d2178', 'v1.490d2178.yYCMcCczuZQcd4bKtp1aMf4uyKhBswkGX1YWxD1g1Z7usCSl0sKEFkwxCqOffHaqcXUZBR-szi9V_ssYdMNnucY_1ceA400JdEQ1ZMZRKpir36i_XejRh6h16kw', '490d2178', 'bf0992393a91a106ce7dd28a5ed88c16d4d0e5de7a0bdb9c385cd4fbc1abb7d8', 1795737781126, 1795730581064, 1795730581166);
INSERT INTO applications VALUES ('other', '1', NULL, 0, 0, 0, 0, 'v1.490d2178.dxpyk3dVXzOslqwUqZuyzF5BTEdHAAIzrJHndW8RZEtF0C2CcCNKnmUwtzAu-A_8N7tq7lzhc4Qc-sBfei08WMnUXTuWvnE', '490d2178', NULL, NULL, NULL, NULL, 1795730581095, 1795730581095);

CREATE TABLE used_signatures (
  hash       TEXT    PRIMARY KEY,                  -- SHA-256 (hex) of the signature with what it belongs to
  token_hash TEXT,                                 -- the access token that it brought, where it asked for one
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO used_signatures VALUES ('0d086a508ed8f0b24fddd6e0d609c0fde7db4942faf1307baa453b0b0910e7a0', 'bf0992393a91a106ce7dd28a5ed88c16d4d0e5de7a0bdb9c385cd4fbc1abb7d8', 1795731481125);
INSERT INTO used_signatures VALUES ('b28a7934dd52e422c3940c9f1e1d81a34030c82b32fb502f2c501776accd67d1', NULL, 1795731481125);

CREATE TABLE node_orders (
  id                    INTEGER PRIMARY KEY AUTOINCREMENT,
  spec                  TEXT    NOT NULL,
  count                 INTEGER NOT NULL,
  name                  TEXT    NOT NULL,
  password              TEXT,
  password_key_id       TEXT,
  description           TEXT    NOT NULL,
  physical_machine_name TEXT    NOT NULL,
  creator_id            INTEGER NOT NULL,
  created_at            INTEGER NOT NULL
);
INSERT INTO node_orders VALUES (1, 'MEDIUM', 2, 'iserver', 'v1.490d2178.yBz3az-x8r53ncXx3mbFazeWsVFxGeQiXQuYHyyzUKX5YJObLNalLS4Ob-H_ZxAeqti8', '490d2178', 'for maps', 'rack', 3, 1795730581237);
INSERT INTO node_orders VALUES (2, 'MEDIUM', 2, 'iserver', NULL, NULL, 'for maps', 'rack', 3, 1795730581367);

UPDATE sqlite_sequence SET seq = 44 WHERE name = 'audit_events';
UPDATE sqlite_sequence SET seq = 29 WHERE name = 'changes';
UPDATE sqlite_sequence SET seq = 6 WHERE name = 'grants';
UPDATE sqlite_sequence SET seq = 2 WHERE name = 'node_orders';
UPDATE sqlite_sequence SET seq = 2 WHERE name = 'sessions';
UPDATE sqlite_sequence SET seq = 7 WHERE name = 'users';

CREATE INDEX users_by_modified_at ON users (modified_at);

CREATE INDEX users_administrators ON users (id) WHERE type = 'Administrator' AND enabled = 1;

CREATE INDEX sessions_by_user ON sessions (user_id, id);

CREATE INDEX sessions_by_expires_at ON sessions (expires_at);

CREATE INDEX token_apps_by_algorithm ON token_apps (algorithm, token_name, name) WHERE enabled = 1;

CREATE INDEX token_apps_by_secret_key_id ON token_apps (secret_key_id);

CREATE INDEX changes_by_at ON changes (at);

CREATE INDEX sign_in_failures_by_key ON sign_in_failures (scope, key, at);

CREATE INDEX sign_in_failures_by_at ON sign_in_failures (at);

CREATE INDEX audit_events_by_actor ON audit_events (actor, id);

CREATE INDEX audit_events_by_action ON audit_events (action, id);

CREATE INDEX audit_events_by_at ON audit_events (at);

CREATE INDEX units_by_parent ON units (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX memberships_by_object ON memberships (object_type, object_id, user_id);

CREATE UNIQUE INDEX grants_by_object ON grants (service_id, object_type, object_id);

CREATE INDEX grants_in_order ON grants (service_id, object_type, id);

CREATE INDEX grants_by_created_at ON grants (service_id, object_type, created_at, id);

CREATE INDEX grants_of_object ON grants (object_type, object_id);

CREATE INDEX applications_by_organization ON applications (organization_id, access_key);

CREATE INDEX applications_by_token_expires_at ON applications (token_expires_at) WHERE token_expires_at IS NOT NULL;

CREATE INDEX applications_by_secret_key_id ON applications (secret_key_id) WHERE secret_key_id IS NOT NULL;

CREATE INDEX applications_by_token_key_id ON applications (token_key_id) WHERE token_key_id IS NOT NULL;

CREATE INDEX used_signatures_by_expires_at ON used_signatures (expires_at);

CREATE INDEX node_orders_by_password_key_id ON node_orders (password_key_id) WHERE password_key_id IS NOT NULL;

CREATE TRIGGER users_keep_an_administrator_on_delete
BEFORE DELETE ON users
WHEN OLD.type = 'Administrator' AND OLD.enabled = 1
  AND NOT EXISTS (SELECT 1 FROM users WHERE type = 'Administrator' AND enabled = 1 AND id <> OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'last administrator');
END;

CREATE TRIGGER users_keep_an_administrator_on_update
BEFORE UPDATE OF type, enabled ON users
WHEN OLD.type = 'Administrator' AND OLD.enabled = 1
  AND (NEW.type <> 'Administrator' OR NEW.enabled <> 1)
  AND NOT EXISTS (SELECT 1 FROM users WHERE type = 'Administrator' AND enabled = 1 AND id <> OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'last administrator');
END;

CREATE TRIGGER grants_count_inserted AFTER INSERT ON grants
BEGIN
  INSERT INTO grant_counts (service_id, object_type, grants) VALUES (NEW.service_id, NEW.object_type, 1)
    ON CONFLICT (service_id, object_type) DO UPDATE SET grants = grants + 1;
END;

CREATE TRIGGER grants_count_deleted AFTER DELETE ON grants
BEGIN
  UPDATE grant_counts SET grants = grants - 1 WHERE service_id = OLD.service_id AND object_type = OLD.object_type;
END;

CREATE TRIGGER applications_have_an_organization
BEFORE INSERT ON applications
WHEN NOT EXISTS (SELECT 1 FROM organizations WHERE id = NEW.organization_id)
BEGIN
  SELECT RAISE(ABORT, 'unknown organization');
END;

CREATE TRIGGER organizations_keep_their_applications
BEFORE DELETE ON organizations
WHEN EXISTS (SELECT 1 FROM applications WHERE organization_id = OLD.id)
BEGIN
  SELECT RAISE(ABORT, 'organization has applications');
END;
