// Waits until `make dev` answers, then prints where it is and how to sign in.
// Usage: announce.mjs PORT PID, where PID is the process that serves.

const [port, pid] = process.argv.slice(2);
const address = `http://localhost:${port}`;

const serving = () => {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
};

/** Where the console is, or what it needs. */
async function whereConsoleIs() {
  const { signIn, at } = await (await fetch(`${address}/v1/console/session`)).json();
  if (signIn === "off") {
    const setting = `write ADMIN_HOST='127.0.0.1:${port}' into .dev.vars`;
    return `The console needs a host of its own beside the application: ${setting}.`;
  }
  return `The console is at ${at ?? `${address}/v1/console/`}`;
}

const answers = () =>
  fetch(`${address}/health`, { signal: AbortSignal.timeout(2000) }).then(
    () => true,
    () => false,
  );

while (serving()) {
  if (await answers()) {
    // Without its secrets, the Worker answers 503 and says so itself.
    const where = await whereConsoleIs().catch(() => "");
    // The password is not printed, so that it is in no terminal or shell history.
    console.log(`
Postern is at ${address}. The administrator is "admin", the password is in .dev.vars:

  (. ./.dev.vars; curl -u "admin:$ADMIN_PASSWORD" ${address}/v1/users)

${where}

What happens every five minutes in production happens here when asked: curl ${address}/__scheduled
Ctrl-C stops it; the state stays.
`);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
}
