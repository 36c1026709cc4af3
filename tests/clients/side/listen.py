"""A script's listener: prints each message of its socket as a line, and leaves when its input ends. listen.py URL PATH"""

import asyncio
import json
import sys

import websockets


async def main(url, path):
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"register": [path]}))
        await socket.send(json.dumps({"enableDisplayNotification": True}))
        asyncio.create_task(obey(socket))
        async for message in socket:
            print(message, flush=True)
        print(json.dumps({"closed": socket.close_code}), flush=True)


async def obey(socket):
    while line := await asyncio.to_thread(sys.stdin.readline):
        await socket.send(line.strip())
    await socket.close(1000)


asyncio.run(main(*sys.argv[1:]))
