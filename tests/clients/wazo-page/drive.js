// Opens page.html in headless Chromium, types a host and a token into its form, clicks, and prints what it writes to its console, a line
// each. Leaves when its input ends.
// node drive.js CHROMIUM PROFILE PORT TOKEN
// The page names port 9502; Chromium is told where that is, so that the page stays as it is.
const { spawn } = require("child_process");
const fs = require("fs");
const path = require("path");
const WebSocket = require("ws");

const [chromium, profile, port, token] = process.argv.slice(2);
const HOST = "wazo.test";
const browser = spawn(chromium, [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--ignore-certificate-errors",
  `--host-resolver-rules=MAP ${HOST}:9502 127.0.0.1:${port}`, "--remote-debugging-port=0", `--user-data-dir=${profile}`,
  `file://${path.join(__dirname, "page.html")}`,
], { stdio: ["ignore", "ignore", "pipe"] });

let noise = "";
const endpoint = new Promise((found) => browser.stderr.on("data", (data) => {
  noise += data;
  const line = noise.match(/DevTools listening on (ws:\S+)/);
  if (line) found(line[1]);
}));
const leave = (code) => { browser.kill("SIGKILL"); process.exit(code); };
browser.on("exit", () => { console.error(noise); process.exit(1); });
process.stdin.resume();
process.stdin.on("end", () => leave(0));

(async () => {
  const socket = new WebSocket(await endpoint);
  await new Promise((opened) => socket.on("open", opened));
  let next = 0;
  const waiting = new Map();
  const ask = (method, params = {}, sessionId) => new Promise((answered) => {
    waiting.set(++next, answered);
    socket.send(JSON.stringify({ id: next, method, params, sessionId }));
  });
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.id) return waiting.get(message.id)(message.result);
    if (message.method === "Runtime.consoleAPICalled") {
      console.log(JSON.stringify(message.params.args.map((arg) => arg.value).join(" ")));
    }
  });
  let page;
  while (!page) {
    const { targetInfos } = await ask("Target.getTargets");
    page = targetInfos.find((target) => target.type === "page" && target.url.endsWith("page.html"));
  }
  const { sessionId } = await ask("Target.attachToTarget", { targetId: page.targetId, flatten: true });
  const run = (expression) => ask("Runtime.evaluate", { expression }, sessionId);
  await ask("Runtime.enable", {}, sessionId);
  let ready;
  while (!ready) ready = (await run("!!document.querySelector('button')")).result.value;
  await run(`document.getElementById("host").value = ${JSON.stringify(HOST)};
    document.getElementById("token").value = ${JSON.stringify(token)};
    document.querySelector("button").click();`);
})();
