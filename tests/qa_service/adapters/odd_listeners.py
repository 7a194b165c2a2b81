"""Programs that answer as the real one should not, run by their names."""

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """What the request's ``target`` says: sleep, end, or count the requests that this program has had."""
    for had, line in enumerate(sys.stdin, start=1):
        request = json.loads(line)
        if request["target"] == "sleep":
            time.sleep(600)
        if request["target"] == "end":
            sys.exit(3)
        if request["target"] == "end after this":
            sys.stdout.write(json.dumps({"had": had}) + "\n")
            sys.stdout.flush()
            sys.exit(0)
        if request["target"] == "environment":
            names = Path("/proc/self/environ").read_text("utf-8").split("\0")
            sys.stdout.write(json.dumps({"names": [name.split("=")[0] for name in names]}) + "\n")
        elif request["target"] == "error":
            fault = {"kind": request["kind"], "code": "some_code", "message": "what: what to do"}
            sys.stdout.write(json.dumps({"error": fault}) + "\n")
        else:
            sys.stdout.write(json.dumps({"had": had}) + "\n")
        sys.stdout.flush()
