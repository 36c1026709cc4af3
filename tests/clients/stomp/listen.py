"""A script's listener on STOMP, with stomp.py: prints a JSON value a line, and leaves when its input ends.

listen.py HOST PORT PATH LOGIN PASSCODE DESTINATION...
"""

import json
import sys
import threading

import stomp

over = threading.Event()


def say(value):
    print(json.dumps(value), flush=True)


class Listener(stomp.ConnectionListener):
    def on_connected(self, frame):
        say({"connected": frame.headers["version"], "as": frame.headers["user-name"]})

    def on_message(self, frame):
        say({"destination": frame.headers["destination"], "body": json.loads(frame.body)})

    def on_receipt(self, frame):
        say({"receipt": frame.headers["receipt-id"]})

    def on_error(self, frame):
        say({"error": frame.headers["message"]})

    def on_disconnected(self):
        over.set()


host, port, path, login, passcode, *destinations = sys.argv[1:]
connection = stomp.WSConnection([(host, int(port))], ws_path=path, heartbeats=(4000, 4000))
connection.set_listener("", Listener())
connection.connect(login, passcode, wait=True)
for number, destination in enumerate(destinations):
    connection.subscribe(destination, id=number, ack="auto", headers={"receipt": f"made {destination}"})
sys.stdin.read()
connection.disconnect(receipt="goodbye")
over.wait(10)
