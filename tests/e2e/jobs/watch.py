#!/usr/bin/python3
# watch.py: reads JSON, and reads it again whenever it has changed.

import json, os, select

path = os.environ["Z"] + "/app/conf.json"
while True:
    with open(path, encoding="utf-8") as file:
        print("workers", json.load(file)["workers"], flush=True)
        poller = select.poll()
        poller.register(file, select.POLLPRI)
        poller.poll()
