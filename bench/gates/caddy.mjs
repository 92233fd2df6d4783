// Caddy, which asks Postern.

import { fromPypi } from "../../tests/all/support/programs.mjs";
import { ASKS_POSTERN, gate, hostOf, serve, written } from "./gate.mjs";
import { disable } from "./postern.mjs";

export const caddy = gate({
  name: "Caddy `forward_auth` → Postern",
  can: ASKS_POSTERN,
  needs: () => fromPypi("caddy"),
  revoke: disable,
  start: ({ folder, postern }) =>
    serve(
      fromPypi("caddy"),
      (port) => {
        const text = `{
  admin off
  auto_https off
  default_bind 127.0.0.1
}
http://:${port} {
  forward_auth ${hostOf(postern.url)} {
    uri /v1/forward-auth
  }
  respond "ok"
}
`;
        const file = written(folder, "Caddyfile", text);
        const home = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
        const args = ["run", "--adapter", "caddyfile", "--config", file];
        return { args, env: { ...home, GOMAXPROCS: "1" } };
      },
      postern,
    ),
});
