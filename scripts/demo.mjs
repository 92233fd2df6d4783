// `make demo`: does the main job from the outside, on a Worker with a temporary state. Prints each
// request and its answer. The exit status says whether all answers were right.

import { signHs256 } from "./lib/jwt.mjs";
import { applyMigrations, startWorker, throwAwayFolder, throwAwaySecrets } from "./lib/worker.mjs";

// The endpoint's published example, unchanged.
const ERP = `{
  "name": "ERP",
  "token_name": "token",
  "secret": "abcd",
  "expire": 86400,
  "fieldmap": {
    "username": "loginname",
    "name": "name",
    "email": "email"
  },
  "algorithm": "HS256",
  "enable": "1",
  "inituser": "1",
  "initroles": [
    "SYS_Reader"
  ]
}`;

let url;
let failures = 0;

function check(what, holds) {
  console.log(`  ${holds ? "ok  " : "FAIL"} ${what}`);
  if (!holds) failures += 1;
}

function title(text) {
  console.log(`\n== ${text}\n`);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * Sends a request, and prints it as a curl command with its answer. The password of `basic` is not
 * printed.
 */
async function send(method, path, { headers = {}, basic, body } = {}) {
  const line = [method === "GET" ? "$ curl" : `$ curl -X ${method}`];
  if (basic) line.push(`-u "${basic.username}:$ADMIN_PASSWORD"`);
  for (const [name, value] of Object.entries(headers))
    line.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) line.push(`-d ${quoted(body.shown ?? body)}`);
  line.push(quoted(url + path));
  console.log(line.join(" "));

  const authorization =
    basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString("base64")}`;
  const answer = await fetch(url + path, {
    method,
    headers: { ...headers, ...(authorization && { authorization }) },
    body: body?.sent ?? body,
    signal: AbortSignal.timeout(30_000),
  });
  const text = await answer.text();
  console.log(`${answer.status} ${text}`);
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    // Not every answer is JSON: a token is plain text.
  }
  return { status: answer.status, text, json };
}

function withOneBitFlipped(token) {
  const [header, claims, signature] = token.split(".");
  const bytes = Buffer.from(signature, "base64url");
  bytes[0] ^= 1;
  return `${header}.${claims}.${bytes.toString("base64url")}`;
}

async function tokenApps(admin) {
  title("A token app is registered: ERP signs its tokens with HS256 and the secret abcd");
  const answer = await send("POST", "/plugin/datafor-modeler/api/token/updateAuthorization", {
    basic: admin,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: ERP,
  });
  check("200", answer.status === 200);
  check(
    '"msg":"success","success":true',
    answer.json?.msg === "success" && answer.json?.success === true,
  );
}

async function signedTokens() {
  title("A token that ERP has signed is verified, and its user is known from then on");
  const token = signHs256("abcd", {
    loginname: "alice",
    name: "Alice",
    email: "alice@example.com",
    exp: Math.floor(Date.now() / 1000) + 600,
  });
  const good = await send("GET", `/v1/verify?token=${token}`);
  check("200", good.status === 200);
  check('"active":true', good.json?.active === true);
  check("the app is ERP", good.json?.app === "ERP");
  check("the user is alice", good.json?.user?.username === "alice");

  title("The same token with one flipped bit in its signature is refused");
  const forged = await send("GET", `/v1/verify?token=${withOneBitFlipped(token)}`);
  check("401", forged.status === 401);
  check("the reason is bad_signature", forged.json?.reason === "bad_signature");
  return { token, userId: good.json?.user?.id };
}

async function grants(admin, { token, userId }) {
  title("Alice is given the permission to test service 1, and nothing else");
  const grant = await send("POST", "/api/v1/services/1/auth", {
    basic: admin,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ authObjectType: "USER", authObjectId: userId, permissions: ["TEST"] }),
  });
  check("200", grant.status === 200);

  title("Her token and her permission are checked in one hop");
  const yes = await send("GET", `/v1/check?service=1&permission=TEST&token=${token}`);
  check('"allowed":true', yes.status === 200 && yes.json?.allowed === true);
  const no = await send("GET", `/v1/check?service=1&permission=DELETE&token=${token}`);
  check('"allowed":false', no.status === 200 && no.json?.allowed === false);

  title("The grant is taken back, and that is in force at once");
  const revoked = await send("DELETE", `/api/v1/services/auth/${grant.json?.data?.id}`, {
    basic: admin,
  });
  check("200", revoked.status === 200);
  const over = await send("GET", `/v1/check?service=1&permission=TEST&token=${token}`);
  check('"allowed":false', over.status === 200 && over.json?.allowed === false);
}

async function opaqueTokens(admin) {
  title("Username and password are exchanged for an opaque token");
  const credentials = { username: admin.username, password: admin.password };
  const issued = await send("POST", "/imanager/cloud/security/tokens.json", {
    headers: { "content-type": "application/json" },
    body: {
      sent: JSON.stringify(credentials),
      shown: JSON.stringify({ ...credentials, password: "…" }),
    },
  });
  const token = issued.text;
  check("200", issued.status === 200);
  check(
    "the body is a bare UUID",
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(token),
  );

  title("It opens what its user may see");
  const list = await send("GET", "/plugin/datafor-modeler/api/token/list", {
    headers: { "X-Auth-Token": token },
  });
  check("200", list.status === 200);
  check(
    "the list holds ERP",
    list.json?.success === true && list.json?.data?.some((app) => app.name === "ERP"),
  );

  title("It verifies at the edge like a signed one");
  const verified = await send("GET", "/v1/verify", {
    headers: { Authorization: `Bearer ${token}` },
  });
  check("200", verified.status === 200);
  check('"kind":"opaque"', verified.json?.kind === "opaque");

  title("After logging out it is worth nothing");
  const logout = await send("GET", "/imanager/security/logout", {
    headers: { "X-Auth-Token": token },
  });
  check("the logout succeeds", logout.status === 200);
  const refused = await send("GET", "/v1/verify", {
    headers: { Authorization: `Bearer ${token}` },
  });
  check("401", refused.status === 401);
}

const stateDir = throwAwayFolder();
let worker;
try {
  const secrets = throwAwaySecrets();
  const admin = { username: "admin", password: secrets.ADMIN_PASSWORD };
  console.log("Starting a Worker with fresh secrets and an empty database …");
  await applyMigrations(stateDir);
  worker = await startWorker({
    stateDir,
    bindings: { ...secrets, ADMIN_USERNAME: admin.username },
  });
  url = worker.url;

  await tokenApps(admin);
  const alice = await signedTokens();
  await grants(admin, alice);
  await opaqueTokens(admin);
} catch (error) {
  failures += 1;
  console.error(`\n${error.stack}`);
} finally {
  if (failures > 0 && worker) console.error(`\nWhat the Worker printed:\n${worker.output()}`);
  await worker?.stop();
}

console.log(failures === 0 ? "\nAll of it held." : `\n${failures} did not hold.`);
process.exitCode = failures === 0 ? 0 : 1;
