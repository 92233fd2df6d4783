// Envoy, whose filter jwt_authn verifies by itself. With its cache it does not verify a token again
// that it has seen.

import { fromPypi } from "../../tests/all/support/programs.mjs";
import { VERIFIES_ONLY, gate, serve, written } from "./gate.mjs";
import { JWKS } from "./tokens.mjs";

const typed = (name, type, more) => ({
  name,
  typed_config: { "@type": `type.googleapis.com/envoy.extensions.filters.${type}`, ...more },
});

function configuration(port, cache) {
  const provider = {
    issuer: "erp",
    local_jwks: { inline_string: JSON.stringify(JWKS) },
    ...(cache && { jwt_cache_config: { jwt_cache_size: 1000 } }),
  };
  const filters = [
    typed("envoy.filters.http.jwt_authn", "http.jwt_authn.v3.JwtAuthentication", {
      providers: { erp: provider },
      rules: [{ match: { prefix: "/" }, requires: { provider_name: "erp" } }],
    }),
    typed("envoy.filters.http.router", "http.router.v3.Router"),
  ];
  const ok = {
    match: { prefix: "/" },
    direct_response: { status: 200, body: { inline_string: "ok" } },
  };
  const manager = typed(
    "envoy.filters.network.http_connection_manager",
    "network.http_connection_manager.v3.HttpConnectionManager",
    {
      stat_prefix: "gate",
      route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [ok] }] },
      http_filters: filters,
    },
  );
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return {
    static_resources: { listeners: [{ address, filter_chains: [{ filters: [manager] }] }] },
  };
}

const envoy = (name, cache) =>
  gate({
    name,
    can: { ...VERIFIES_ONLY, keys: "of an issuer, or by xDS" },
    needs: () => fromPypi("envoy"),
    start: ({ folder }) =>
      serve(fromPypi("envoy"), (port) => {
        const file = written(folder, "envoy.yaml", JSON.stringify(configuration(port, cache)));
        return { args: ["-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "error"] };
      }),
  });

export const jwtAuthn = envoy("Envoy `jwt_authn`", false);
export const jwtAuthnCached = envoy("Envoy `jwt_authn`, `jwt_cache_config`", true);
