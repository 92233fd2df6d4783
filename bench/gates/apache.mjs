// Apache with mod_auth_openidc as a resource server, which verifies by itself.

import { VERIFIES_ONLY, debian, gate, serve, withLibraries, written } from "./gate.mjs";
import { KEYS } from "./tokens.mjs";

const module = (name) => debian(`usr/lib/apache2/modules/mod_${name}.so`);
const LOADED = ["mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "alias"];

export const apache = gate({
  name: "Apache `mod_auth_openidc`",
  can: VERIFIES_ONLY,
  // The module of Debian 12 (2.4.12) crashes where it reads an EC key, from a certificate too.
  algorithms: ["HS256", "RS256"],
  needs: () => module("auth_openidc"),
  start({ folder }) {
    const page = written(folder, "ok", "ok\n");
    const key = written(folder, "RS256.pem", KEYS.RS256);
    return serve(debian("usr/sbin/apache2"), (port) => {
      const text = `${LOADED.map((name) => `LoadModule ${name}_module ${module(name)}`).join("\n")}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/httpd.pid
ErrorLog ${folder}/error.log
LogLevel crit
DefaultRuntimeDir ${folder}
Mutex pthread default
DocumentRoot ${folder}
StartServers 1
ServerLimit 1
ThreadsPerChild 32
MaxRequestWorkers 32
MaxKeepAliveRequests 0
AliasMatch "^" ${page}
OIDCCryptoPassphrase "for nothing: no session begins here"
OIDCOAuthVerifySharedKeys "plain#HS256#${KEYS.HS256}"
OIDCOAuthVerifyCertFiles "RS256#${key}"
OIDCOAuthRemoteUserClaim loginname
<Location "/">
  AuthType oauth20
  Require valid-user
</Location>
`;
      const args = ["-f", written(folder, "httpd.conf", text), "-X"];
      return { args, env: withLibraries() };
    });
  },
});
