// Runs an example of the CTI documentation as it stands there: run.js EXAMPLE BASE SUFFIX [HEADER VALUE]
//
// The example's host is turned to BASE, SUFFIX is put behind its URL (a ticket), and a header before it, as a reverse proxy would do. What the
// example logs or hands to its page's functions is printed, a JSON list a line.
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');
const { WebSocket: Real } = require('ws');

const [example, base, suffix, header, value] = process.argv.slice(2);
const headers = header ? { [header]: value } : {};

class WebSocket extends Real {
  constructor(url) {
    super(url.replace('wss://cti.example.com', base) + suffix, { headers });
  }
}

const say = (...words) => process.stdout.write(`${JSON.stringify(words)}\n`);
const page = {
  WebSocket,
  console: { log: say, error: (what, error) => say(what, String((error && error.message) || error)) },
  updateGroupDashboard: (data) => say('dashboard', data),
  updateMemberStatus: (data) => say('member', data),
  setInterval,
  setTimeout,
};
vm.runInNewContext(fs.readFileSync(path.join(__dirname, example), 'utf8'), page);
// The test's end is this one's.
process.stdin.on('end', () => process.exit(0)).resume();
