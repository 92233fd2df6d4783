// HAProxy, which verifies by itself.

import { VERIFIES_ONLY, debian, gate, serve, withLibraries, written } from "./gate.mjs";
import { KEYS } from "./tokens.mjs";

const program = () => debian("usr/sbin/haproxy");

function configuration(port, files) {
  const keys = { HS256: KEYS.HS256, ...files };
  const wrong = Object.entries(keys).map(([alg, key]) => {
    const good = `{ var(txn.token),jwt_verify(txn.alg,"${key}") -m int 1 }`;
    return `  http-request deny deny_status 401 if { var(txn.alg) -m str ${alg} } !${good}`;
  });
  return `global
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout connect 5s
  timeout server 60s
frontend gate
  bind 127.0.0.1:${port}
  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
  http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
  http-request deny deny_status 401 unless { var(txn.alg) -m str ${Object.keys(keys).join(" ")} }
${wrong.join("\n")}
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request return status 200 content-type text/plain string "ok"
`;
}

export const haproxy = gate({
  name: "HAProxy `jwt_verify`",
  can: VERIFIES_ONLY,
  needs: program,
  start({ folder }) {
    const files = Object.fromEntries(
      ["RS256", "ES256"].map((alg) => [alg, written(folder, `${alg}.pem`, KEYS[alg])]),
    );
    return serve(program(), (port) => ({
      args: ["-db", "-q", "-f", written(folder, "haproxy.cfg", configuration(port, files))],
      env: withLibraries(),
    }));
  },
});
