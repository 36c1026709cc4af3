// A Wazo app's listener with @wazo/sdk: prints each event as a line, and leaves when its input ends. A line of input is a new token.
// node listen.js HOST:PORT TOKEN VERSION EVENT...
const { WebSocketClient } = require("@wazo/sdk");
global.WebSocket = require("ws");

const [host, token, version, ...events] = process.argv.slice(2);
const say = (value) => console.log(JSON.stringify(value));
const client = new WebSocketClient(
  { host, token, events, version: Number(version), heartbeat: { delay: 200, timeout: 5000, max: 3 } },
  { rejectUnauthorized: true, maxRetries: 0 },
);
client.on("initialized", () => say({ initialized: true }));
client.on("on_auth_failed", () => say({ authFailed: true }));
client.on("onclose", (event) => say({ closed: event.code }));
for (const name of events) client.on(name, (message) => say({ name, message }));
client.connect();
// The pong comes back within the heartbeat's patience, or this is never printed.
client.setOnHeartbeatTimeout?.(() => say({ heartbeat: "lost" }));
process.stdin.on("data", (line) => client.updateToken(line.toString().trim()));
process.stdin.on("end", () => { client.close(true); process.exit(0); });
