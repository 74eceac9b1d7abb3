"""Asks Bellringer and CronSim when random cron expressions fire, and compares.

    differential.py PROGRAM CASES [SEED]

PROGRAM is the example `fires` of the crate bellringer-schedule. CronSim's author holds any difference
from Debian's cron to be a bug, and so do we; see intended.py for what differs all the same.
"""

import collections
import json
import random
import secrets
import subprocess
import sys
from datetime import datetime, timezone

import tzdata

import cases
from intended import INTENDED, theirs

FIRES = 10  # compared of each case
AT_ONCE = 5000  # cases for each run of the program


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def text(at):
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def told(answer):
    return answer if isinstance(answer, str) else [text(at) for at in answer]


def ours(program, asked, count):
    """The program's answer to each case: instants, or what is wrong."""
    lines = [json.dumps({**case, "after": text(case["after"]), "count": count}) for case in asked]
    run = subprocess.run(
        [program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True
    )
    first, *answers = (json.loads(line) for line in run.stdout.splitlines())
    if first["tzdata"] != tzdata.IANA_VERSION:
        sys.exit(
            f"the program has time zones {first['tzdata']}, Python has {tzdata.IANA_VERSION}: "
            "set the same in requirements.txt"
        )
    for answer in answers:
        fires = answer.get("fires")
        yield answer["problem"] if fires is None else [instant(fire) for fire in fires]


def check_examples(program):
    """Every intended difference is there, and as it is described."""
    for intended in INTENDED:
        expression, zone, after, expected, expected_theirs = intended.example
        case = {"expression": expression, "zone": zone, "after": instant(after)}
        [answer] = ours(program, [case], 2)
        other = theirs(case, 2)
        assert told(answer) == expected, f"{intended.name}: ours are {told(answer)}"
        assert told(other) == expected_theirs, f"{intended.name}: theirs are {told(other)}"
        assert answer != other and intended.explains(case, answer, other), intended.name


def explanation(case, answer, other):
    if isinstance(answer, str):
        return None  # we refused what CronSim reads, or a zone that Python has
    return next((i.name for i in INTENDED if i.explains(case, answer, other)), None)


def main():
    program, number = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else secrets.randbelow(2**32)
    print(f"{number} cases, seed {seed}, time zones {tzdata.IANA_VERSION}", flush=True)
    check_examples(program)

    random.seed(seed)
    result, unexplained, fires = collections.Counter(), 0, 0
    for begin in range(0, number, AT_ONCE):
        asked = [cases.case() for _ in range(min(AT_ONCE, number - begin))]
        for case, answer in zip(asked, ours(program, asked, FIRES)):
            other = theirs(case, FIRES)
            fires += len(other) if isinstance(other, list) else 0
            if answer == other:
                result["equal"] += 1
            elif name := explanation(case, answer, other):
                result[f"intended: {name}"] += 1
            else:
                unexplained += 1
                if unexplained <= 20:
                    print(f"DIFFERENT {case['expression']!r} in {case['zone']} after {text(case['after'])}")
                    print(f"  ours   {told(answer)}")
                    print(f"  theirs {told(other)}", flush=True)

    for name, count in result.most_common():
        print(f"{count:8} {name}")
    print(f"{unexplained:8} DIFFERENT" if unexplained else f"PASS: {fires} fires compared")
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()
