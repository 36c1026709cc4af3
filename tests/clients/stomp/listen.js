// A web app's listener on STOMP, with the library that such apps use: prints a JSON value a line, and leaves when its input ends.
// node listen.js URL TOKEN DESTINATION…    A line "ack" on its input acknowledges the last message; without TOKEN it brings none.
const WebSocket = require("ws");
const { Client } = require("@stomp/stompjs");

const [url, token, ...destinations] = process.argv.slice(2);
const say = (value) => console.log(JSON.stringify(value));
let last;
const client = new Client({
  connectHeaders: token ? { Authorization: `Bearer ${token}` } : {},
  webSocketFactory: () => new WebSocket(url, ["v12.stomp", "v11.stomp", "v10.stomp"]),
  reconnectDelay: 0,
  // Frames come in parts of a few bytes: a server must put them together.
  splitLargeFrames: true,
  maxWebSocketChunkSize: 16,
  onConnect: (frame) => {
    say({ connected: frame.headers.version, as: frame.headers["user-name"], protocol: client.webSocket.protocol });
    for (const destination of destinations) {
      const receipt = `made ${destination}`;
      client.watchForReceipt(receipt, () => say({ receipt }));
      client.subscribe(
        destination,
        (message) => {
          last = message;
          say({ destination: message.headers.destination, body: JSON.parse(message.body) });
        },
        { ack: "client-individual", receipt },
      );
    }
  },
  onStompError: (frame) => say({ error: frame.headers.message }),
  onWebSocketClose: (event) => {
    say({ closed: event.code });
    process.exit(0);
  },
});
client.activate();
process.stdin.on("data", () => {
  client.watchForReceipt("taken", () => say({ receipt: "taken" }));
  last.ack({ receipt: "taken" });
});
process.stdin.on("end", () => client.deactivate());
