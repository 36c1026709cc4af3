"""The driver of tests/proofs/imports: builds files, sends them, and tells how long each took. A support program, no test."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
import urllib.request

import websockets

PID, EVENTS, DIR = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
OURS, THEIRS = "http://127.0.0.1:18671", "http://127.0.0.1:18672"
ALICE = {"Authorization": "Basic " + base64.b64encode(b"alice:alice").decode()}


def event(number, run):
    """Of the mix of tests/proofs/davbench: UTC, a zone, all-day, recurring; a third with an alarm."""
    day, hour = 1 + number % 28, 8 + number % 10
    kind = number % 20
    if kind < 12:
        when = f"DTSTART:202603{day:02}T{hour:02}0000Z\r\nDTEND:202603{day:02}T{hour:02}4500Z\r\n"
    elif kind < 15:
        when = f"DTSTART;TZID=Europe/Paris:202603{day:02}T{hour:02}0000\r\nDURATION:PT45M\r\n"
    elif kind < 18:
        when = f"DTSTART;VALUE=DATE:202603{day:02}\r\n"
    else:
        when = f"DTSTART:202603{day:02}T{hour:02}0000Z\r\nDURATION:PT45M\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=20\r\n"
    alarm = "" if number % 3 else "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Soon\r\nEND:VALARM\r\n"
    return (
        f"BEGIN:VEVENT\r\nUID:{run}-{number:08}@example.org\r\nDTSTAMP:20250101T000000Z\r\n{when}SUMMARY:Planning of the {number}th quarter\r\n"
        f"LOCATION:Room {number % 40}\\, second floor\r\nDESCRIPTION:What was agreed on last time\\nwhat is open\\nwho does what until when\r\n"
        f"SEQUENCE:0\r\n{alarm}END:VEVENT\r\n"
    )


ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"
    "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def file(count, run):
    events = "".join(event(number, run) for number in range(count))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//proof//EN\r\n{ZONE}{events}END:VCALENDAR\r\n".encode()


def ask(method, url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=3600) as answer:
        return answer.status, answer.read()


def make(name):
    ask("POST", f"{OURS}/api/calendars", json.dumps({"id": name}).encode(), {**ALICE, "Content-Type": "application/json"})


def peak():
    with open(f"/proc/{PID}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def now_resident():
    with open(f"/proc/{PID}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def cpu():
    with open(f"/proc/{PID}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ours(count, run):
    """From the request to the push that tells its end: the last object is on disk before it."""
    path = f"/calendars/alice/{run}"
    make(run)
    body = file(count, run)
    ticket = json.loads(ask("POST", f"{OURS}/ws/ticket", b"", ALICE)[1])["value"]
    async with websockets.connect(f"ws://127.0.0.1:18671/ws?ticket={ticket}", max_size=None) as socket:
        await socket.recv()
        await socket.send(json.dumps({"register": [path]}))
        await socket.recv()
        before, used, rest = time.monotonic(), cpu(), peak()
        query = f"{OURS}/api/imports?target={path}"
        taken = await asyncio.to_thread(ask, "POST", query, body, {**ALICE, "Content-Type": "text/calendar"})
        accepted = time.monotonic() - before
        tokens = 0
        while True:
            push = json.loads(await socket.recv())[path]
            tokens += "syncToken" in push
            if "imports" in push:
                break
        took = time.monotonic() - before
    ended = list(push["imports"].values())[0]
    assert ended == {"status": "completed", "succeedCount": count, "failedCount": 0}, ended
    assert taken[0] == 202
    print(
        f"Campanile: {count} events, {len(body) / 1e6:.1f} MB: {took:.2f} s to the push ({count / took:.0f} a second), accepted after {accepted:.2f} s, "
        f"{cpu() - used:.2f} CPU s, {tokens} tokens, {peak() - rest:.0f} MiB more than ever before, {now_resident():.0f} MiB resident",
        flush=True,
    )
    return took


def theirs(count, run, first):
    body, url = file(count, run), f"{THEIRS}/alice/{run}/"
    before = time.monotonic()
    if first:
        ask("MKCALENDAR", url, None, ALICE)
    ask("PUT", url, body, {**ALICE, "Content-Type": "text/calendar"})
    took = time.monotonic() - before
    print(f"Radicale, {'MKCALENDAR and ' if first else ''}PUT of the whole: {count} events: {took:.2f} s ({count / took:.0f} a second)", flush=True)
    return took


def mirror():
    """The command of the README, as it stands there."""
    body = file(1000, "feed")
    feed = os.path.join(DIR, "feed.ics")
    with open(feed, "wb") as out:
        out.write(body)
    command = [
        "curl", "-s", "-u", "alice:alice", "--data-binary", f"@{feed}", "-H", "Prefer: wait=30",
        f"{OURS}/api/imports?target=/calendars/alice/default&mode=mirror",
    ]
    for what in ("first", "again"):
        before = time.monotonic()
        said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        took = time.monotonic() - before
        print(f"README, 1,000 events, {what}: {took * 1000:.0f} ms, created {said['created']}, unchanged {said['unchanged']}, deleted {said['deleted']}", flush=True)


def main():
    asyncio.run(ours(1000, "warm"))
    fastest_ours = min(asyncio.run(ours(EVENTS, f"run{number}")) for number in range(3))
    fastest_theirs = min(theirs(EVENTS, "whole", False), theirs(EVENTS, "made", True))
    print(f"ratio {fastest_theirs / fastest_ours:.1f}")
    mirror()
    large = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTART:20260301T100000Z\r\nDESCRIPTION:" + b"x" * 50_000_000
    large += b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    rest = peak()
    headers = {**ALICE, "Prefer": "wait=60"}
    said = json.loads(ask("POST", f"{OURS}/api/imports?target=/calendars/alice/warm", large, headers)[1])
    print(f"50 MB in one line: {said['status']}, {said['failedCount']} failed, {peak() - rest:.0f} MiB more than ever before", flush=True)
    asyncio.run(ours(100_000, "large"))


main()
