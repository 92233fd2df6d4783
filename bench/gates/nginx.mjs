// nginx: it asks Postern, or it verifies by itself in njs.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  ASKS_POSTERN,
  VERIFIES_ONLY,
  debian,
  gate,
  hostOf,
  serve,
  withLibraries,
  written,
} from "./gate.mjs";
import { disable } from "./postern.mjs";
import { KEYS } from "./tokens.mjs";

const program = () => debian("usr/sbin/nginx");
const js = () => debian("usr/lib/nginx/modules/ngx_http_js_module.so");
const SCRATCH = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

function start(folder, postern, { modules = "", http = "", question }) {
  written(folder, "ok", "ok\n");
  const scratch = SCRATCH.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
  return serve(
    program(),
    (port) => {
      const text = `${modules}
daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr error;
events {}
http {
  access_log off; ${scratch}
  keepalive_requests 1000000000;
  ${http}
  server {
    listen 127.0.0.1:${port};
    location / { auth_request /_verify; root ${folder}; try_files /ok =404; }
    location = /_verify { internal; ${question} }
  }
}
`;
      return {
        args: ["-p", folder, "-c", written(folder, "nginx.conf", text)],
        env: withLibraries(),
      };
    },
    postern,
  );
}

export const authRequest = gate({
  name: "nginx `auth_request` → Postern",
  can: ASKS_POSTERN,
  needs: program,
  revoke: disable,
  start: ({ folder, postern }) =>
    start(folder, postern, {
      http: `upstream postern {
    server ${hostOf(postern.url)};
    keepalive 16;
    keepalive_requests 1000000000;
  }`,
      question: `proxy_pass http://postern/v1/forward-auth; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header X-Forwarded-Uri $request_uri;
        proxy_pass_request_body off; proxy_set_header Content-Length "";`,
    }),
});

/** What one would write in njs. Its state ends with a request, so it reads the key each time. */
const SCRIPT = `
const KEYS = ${JSON.stringify(KEYS)};
const SPKI = (pem) => Buffer.from(pem.split('\\n').slice(1, -2).join(''), 'base64');
const FAMILIES = {
  HS256: { import: { name: 'HMAC', hash: 'SHA-256' }, verify: 'HMAC' },
  RS256: { import: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, verify: 'RSASSA-PKCS1-v1_5' },
  ES256: {
    import: { name: 'ECDSA', namedCurve: 'P-256' },
    verify: { name: 'ECDSA', hash: 'SHA-256' },
  },
};

async function verified(authorization) {
  const parts = authorization.slice(7).split('.');
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
  const alg = read(parts[0]).alg;
  const family = FAMILIES[alg];
  const bytes = alg === 'HS256' ? Buffer.from(KEYS[alg]) : SPKI(KEYS[alg]);
  const format = alg === 'HS256' ? 'raw' : 'spki';
  const key = await crypto.subtle.importKey(format, bytes, family.import, false, ['verify']);
  const text = parts[0] + '.' + parts[1];
  const signature = Buffer.from(parts[2], 'base64url');
  const good = await crypto.subtle.verify(family.verify, key, signature, Buffer.from(text));
  return good && read(parts[1]).exp * 1000 > Date.now();
}

async function verify(r) {
  let good = false;
  try {
    good = await verified(r.headersIn.Authorization);
  } catch (error) {
    good = false;
  }
  r.return(good ? 204 : 401);
}

export default { verify };
`;

export const njs = gate({
  name: "nginx + njs",
  can: VERIFIES_ONLY,
  needs: js,
  start({ folder }) {
    mkdirSync(join(folder, "js"));
    written(join(folder, "js"), "jwt.js", SCRIPT);
    return start(folder, undefined, {
      modules: `load_module ${js()};`,
      http: `js_path ${folder}/js; js_import jwt from jwt.js;`,
      question: "js_content jwt.verify;",
    });
  },
});
