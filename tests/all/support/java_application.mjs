// An application on a real Tomcat with its own sessions and sign-in, by the servlet specification:
// JSESSIONID, j_security_check, and the page that was asked for before the sign-in.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./processes.mjs";
import { NAMESPACE, startTomcat } from "./servers.mjs";

const head =
  '<%@ page contentType="text/html;charset=UTF-8" %><!doctype html><link rel="icon" href="data:,">';

/**
 * The page shows the cookies that came, because Tomcat does not merge a JSP's own ones into them.
 */
const PAGES = {
  "login.jsp": `${head}<h1>login</h1><form method="post" action="j_security_check">
    <input name="j_username"><input name="j_password" type="password">
    <button>sign in</button></form>`,
  "error.jsp": `${head}<h1>wrong</h1>`,
  "app/home.jsp": `${head}<%
    Integer visits = (Integer) session.getAttribute("visits");
    session.setAttribute("visits", visits == null ? 1 : visits + 1);
    Cookie language = new Cookie("lang", "zh");
    language.setPath(request.getContextPath() + "/app");
    response.addCookie(language);
    String to = request.getParameter("to");
  %><h1>home</h1>
  <dl><dt>user</dt><dd id="user"><%= request.getRemoteUser() %></dd>
  <dt>caller</dt><dd id="caller"><%= request.getHeader("X-Auth-User") %></dd>
  <dt>visits</dt><dd id="visits"><%= session.getAttribute("visits") %></dd>
  <dt>sent</dt><dd id="sent"><%= request.getMethod() + " " + to %></dd>
  <dt>cookies</dt><dd id="cookies"><%= request.getHeader("Cookie") %></dd></dl>
  <a href="<%= response.encodeURL("home.jsp") %>">again</a>
  <form method="post"><input name="to" value="a"><button>post</button></form>`,
  "app/logout.jsp": `<%
    session.invalidate();
    response.sendRedirect(request.getContextPath() + "/bye.jsp");
  %>`,
  "bye.jsp": `${head}<%@ page session="false" %><h1>bye</h1>
  <p id="caller"><%= request.getHeader("X-Auth-User") %></p>`,
};

const WEB_XML = `<web-app ${NAMESPACE}>
<security-constraint><web-resource-collection>
<web-resource-name>app</web-resource-name><url-pattern>/app/*</url-pattern>
</web-resource-collection>
<auth-constraint><role-name>user</role-name></auth-constraint></security-constraint>
<login-config><auth-method>FORM</auth-method>
<form-login-config><form-login-page>/login.jsp</form-login-page>
<form-error-page>/error.jsp</form-error-page></form-login-config>
</login-config><security-role><role-name>user</role-name></security-role></web-app>`;

/** An account of the application itself. */
export const ACCOUNT = { username: "tom", password: "kitten" };

/**
 * Starts the application three times in one Tomcat. Returns their URLs and `stop`. `routed` has a
 * route in its session's cookie and absolute redirects, as older servers have them. `plain` has
 * today's defaults. `below` is like `routed`, at a path.
 */
export async function startJavaApplication(folder) {
  for (const [name, text] of Object.entries({ ...PAGES, "WEB-INF/web.xml": WEB_XML })) {
    const file = join(folder, "application", name);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
  }
  mkdirSync(join(folder, "conf"));
  const { username, password } = ACCOUNT;
  writeFileSync(
    join(folder, "conf/users.xml"),
    `<tomcat-users>
<user username="${username}" password="${password}" roles="user"/></tomcat-users>`,
  );
  const plain = await freePort();
  const { port: routed, stop } = await startTomcat(folder, (port) => {
    const context = (path, redirects) =>
      `<Context path="${path}" docBase="${folder}/application"
        useRelativeRedirects="${redirects}"/>`;
    const service = (name, number, route, paths, redirects) => `<Service name="${name}">
<Connector address="127.0.0.1" port="${number}" protocol="HTTP/1.1"/>
<Engine name="${name}" defaultHost="localhost" ${route}>
<Realm className="org.apache.catalina.realm.MemoryRealm" pathname="conf/users.xml"/>
<Host name="localhost" appBase="${name}" autoDeploy="false" deployOnStartup="false">
${paths.map((path) => context(path, redirects)).join("\n")}
</Host></Engine></Service>`;
    return `<Server port="-1">
${service("routed", port, 'jvmRoute="node1"', ["", "/base"], false)}
${service("plain", plain, "", [""], true)}
</Server>`;
  });
  const at = (port) => `http://127.0.0.1:${port}`;
  return { urls: { routed: at(routed), plain: at(plain), below: `${at(routed)}/base` }, stop };
}
