// A web app's listener, as a page would write it: prints each message of its socket as a line, and leaves when its input ends.
// node listen.js URL PATH
const WebSocket = require("ws");

const [url, path] = process.argv.slice(2);
const socket = new WebSocket(url);
socket.onopen = () => {
  socket.send(JSON.stringify({ register: [path] }));
  socket.send(JSON.stringify({ enableDisplayNotification: true }));
};
socket.onmessage = (message) => console.log(message.data);
socket.onclose = (event) => console.log(JSON.stringify({ closed: event.code }));
process.stdin.on("data", (line) => socket.send(line.toString().trim()));
process.stdin.on("end", () => socket.close(1000));
