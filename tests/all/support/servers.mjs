// Real nginx, httpd and Tomcat as applications. They answer whether a path is the forbidden place,
// another place below /base, or outside of it.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, program, startProgram, unpacked } from "./processes.mjs";

export const FORBIDDEN = "the forbidden place";
export const OUTSIDE = "outside of the base";
export const ORDINARY = "an ordinary place";

const temporary = (folder) =>
  ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(" ");

/** nginx with the text of an `http` block. */
export function startNginx(folder, http) {
  return startProgram(program("nginx"), (port) => {
    const file = join(folder, "nginx.conf");
    const text = `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http { access_log off; ${temporary(folder)} ${http(port)} }
`;
    writeFileSync(file, text);
    return { args: ["-p", folder, "-c", file] };
  });
}

async function nginx(folder) {
  const server = await startNginx(
    folder,
    (port) => `server { listen 127.0.0.1:${port}; default_type text/plain;
      location = /base/reports { return 200 "${FORBIDDEN}"; }
      location ^~ /base/reports/ { return 200 "${FORBIDDEN}"; }
      location ^~ /base { return 200 "${ORDINARY}"; }
      location / { return 200 "${OUTSIDE}"; }
    }`,
  );
  return { stop: server.stop, urls: { nginx: server.url } };
}

async function httpd(folder) {
  const home = unpacked("httpd");
  for (const [name, text] of Object.entries({ FORBIDDEN, OUTSIDE, ORDINARY }))
    writeFileSync(join(folder, name), text);
  const modules = ["mpm_event", "authz_core", "alias"];
  const server = await startProgram(join(home, "usr/sbin/apache2"), (port) => {
    const file = join(folder, "httpd.conf");
    const load = (name) =>
      `LoadModule ${name}_module ${home}/usr/lib/apache2/modules/mod_${name}.so`;
    const text = `${modules.map(load).join("\n")}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/httpd.pid
ErrorLog ${folder}/error.log
DefaultRuntimeDir ${folder}
Mutex pthread default
DocumentRoot ${folder}
AllowEncodedSlashes On
AliasMatch "^/base/reports(/.*)?$" ${folder}/FORBIDDEN
AliasMatch "^/base(/.*)?$" ${folder}/ORDINARY
AliasMatch "^" ${folder}/OUTSIDE
`;
    writeFileSync(file, text);
    // Its libraries are from the same system, but not installed.
    return {
      args: ["-f", file, "-DFOREGROUND"],
      env: { LD_LIBRARY_PATH: join(home, "usr/lib/x86_64-linux-gnu") },
    };
  });
  return { stop: server.stop, urls: { httpd: server.url } };
}

const TOMCAT_PAGES = {
  FORBIDDEN: [FORBIDDEN, "/base/reports/*"],
  ORDINARY: [ORDINARY, "/base/*"],
  OUTSIDE: [OUTSIDE, "/*"],
};

function tomcatApplication(folder) {
  const application = join(folder, "webapps/ROOT/WEB-INF");
  mkdirSync(application, { recursive: true });
  const pages = Object.entries(TOMCAT_PAGES).map(([name, [text, pattern]]) => {
    writeFileSync(join(application, `${name}.jsp`), text);
    return `<servlet><servlet-name>${name}</servlet-name>
<jsp-file>/WEB-INF/${name}.jsp</jsp-file></servlet><servlet-mapping>
<servlet-name>${name}</servlet-name><url-pattern>${pattern}</url-pattern></servlet-mapping>`;
  });
  writeFileSync(
    join(application, "web.xml"),
    `<web-app ${NAMESPACE}>${pages.join("\n")}</web-app>`,
  );
}

export const NAMESPACE = `xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0"`;

/** Starts Tomcat in a folder. `configure` returns the text of its server.xml for a port. */
export function startTomcat(folder, configure) {
  const home = join(unpacked("tomcat"), "usr/share/tomcat10");
  // Tomcat finds its compiler of JSPs only by this file, which Debian has in another package.
  const jsp = `<servlet><servlet-name>jsp</servlet-name>
<servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet><servlet-mapping>
<servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>`;
  mkdirSync(join(folder, "conf"), { recursive: true });
  writeFileSync(join(folder, "conf/web.xml"), `<web-app ${NAMESPACE}>${jsp}</web-app>`);
  return startProgram(program("java"), (port) => {
    writeFileSync(join(folder, "conf/server.xml"), configure(port));
    const libraries = ["bootstrap", "tomcat-juli"]
      .map((name) => join(home, "bin", `${name}.jar`))
      .join(":");
    const properties = [
      `-Dcatalina.home=${home}`,
      `-Dcatalina.base=${folder}`,
      `-Djava.io.tmpdir=${folder}`,
    ];
    return {
      args: ["-cp", libraries, ...properties, "org.apache.catalina.startup.Bootstrap", "start"],
    };
  });
}

async function tomcat(folder) {
  tomcatApplication(folder);
  const lenient = await freePort();
  const server = await startTomcat(folder, (port) => {
    const connector = (number, more) =>
      `<Connector address="127.0.0.1" port="${number}" protocol="HTTP/1.1" ${more}/>`;
    const slashes =
      'encodedSolidusHandling="decode" encodedReverseSolidusHandling="decode" ' +
      'allowBackslash="true"';
    return `<Server port="-1"><Service name="Catalina">
${connector(lenient, slashes)}
${connector(port, "")}
<Engine name="Catalina" defaultHost="localhost">
<Host name="localhost" appBase="webapps" autoDeploy="false"/></Engine>
</Service></Server>`;
  });
  return {
    stop: server.stop,
    urls: { Tomcat: server.url, "Tomcat with encoded slashes": `http://127.0.0.1:${lenient}` },
  };
}

/** Starts all of them in their own folders. Returns `{ urls: { name: url }, stop }`. */
export async function startServers(folder) {
  const started = [];
  const stop = () => Promise.all(started.map((one) => one.stop()));
  try {
    for (const start of [nginx, httpd, tomcat]) {
      const own = join(folder, start.name);
      mkdirSync(own);
      started.push(await start(own));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { urls: Object.assign({}, ...started.map(({ urls }) => urls)), stop };
}
