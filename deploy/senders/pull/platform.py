#!/usr/bin/env python3
"""A platform in a page, to try `greenlane pull` on and to write a real one after.

    python3 deploy/senders/pull/platform.py MESSAGE.json...

serves the settlements of these messages (answers to 2304 or 5203) on http://127.0.0.1:8203/5203, in
the envelope of 5203 with paging by time and id. Needs nothing but Python 3.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def records(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            output = json.load(file)["output"]
        settled = output["setlinfo"]
        # When the platform recorded it. A real one has this; late records get a late one.
        settled.setdefault("opt_time", settled["setl_time"])
        yield {"setlinfo": settled, "setldetail": output.get("setldetail", [])}


def place(record):
    return record["setlinfo"]["opt_time"], record["setlinfo"]["setl_id"]


class Platform(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = asked["input"]["data"]
        after = data["begntime"], data["setl_id"]
        page = [it for it in RECORDS if place(it) > after][: int(data["page_size"])]
        answer = {"infcode": 0, "err_msg": None, "inf_refmsgid": asked["msgid"], "output": {"data": page}}
        body = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


RECORDS = sorted(records(sys.argv[1:]), key=place)
print(f"{len(RECORDS)} settlements on http://127.0.0.1:8203/5203", flush=True)
ThreadingHTTPServer(("127.0.0.1", 8203), Platform).serve_forever()
