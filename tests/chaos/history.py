"""Judges what happened to a system under faults: nothing here talks to it. Standard library only.

The history of a run is one JSON-able dictionary, written by tests/chaos/run and readable by `history.py FILE`:
  accepted   {execution id: {"statuses": [...], "calls": {"node:iteration": n}, "exact": bool, "flow": name}}
             what was answered with 2xx, and what must come of it: one of these final statuses, and so many calls of
             each step with an effect; exact false: at most so many (it was cancelled on the way)
  starts     {start key: [execution ids that were answered for it]}
  seen       [[time, execution id, status, end time or null], ...] in the order in which they were read
  details    {execution id: its detail as the API gives it at the end, or null when there is none}
             children {node: [how many executions it starts, …]}, shuffled {node: items of its iterations}: may be missing
  calls      {"execution:node:iteration": how often the effect happened}, told by who was called
  bodies     {"execution:node:iteration": [what was asked for, each once, the latest last]}: may be missing
  children   {execution: {node: how many executions it has started}}: may be missing
  schedules  [{"name", "expected": [instants in ms], "fired": [instants in ms, one for each execution]}]
"""
import collections
import json
import re
import sys

FINAL = ("success", "failed", "cancelled", "timeout")
VERDICTS = ("lost", "stuck", "changed", "wrong", "miscounted", "children", "unlike", "restarted", "doubled", "missed")


def attempts_of(detail):
    """{"node:iteration": the (epoch, attempt)s that the ledger shows, those of them of unknown outcome, and those that
    succeeded}; what names no iteration is of the node's only one, which stands under "node:"."""
    found = collections.defaultdict(lambda: (set(), set(), set()))
    for entry in detail.get("nodeExecutions") or []:
        for one in [entry, *(entry.get("iterations") or [])]:
            for attempt in one.get("attempts") or []:
                iteration = attempt.get("iteration", one.get("iteration", ""))
                known, unknown, succeeded = found[f"{entry['nodeId']}:{iteration}"]
                number = (attempt.get("epoch", 0), attempt["attempt"])
                known.add(number)
                if attempt.get("status") == "unknown":
                    unknown.add(number)
                if attempt.get("status") == "success":
                    succeeded.add(number)
    return found


def allowed_calls(attempts, place, wanted):
    """As many as the ledger shows. An attempt of unknown outcome says that a worker was lost with what it had not told: the
    step may have run to its end once more, as it did with each success but the one that is asked for. (Of a step that is
    called several times to its end, the calls that failed are counted on by who was called: to run to the end again is
    one call.)"""
    known, unknown, succeeded = (mine | whole for mine, whole in zip(attempts[place], attempts[place.split(":")[0] + ":"]))
    return max(len(known), wanted + len(unknown) + max(0, len(succeeded) - 1))


def count_calls(history):
    """The calls of each execution: {id: {"node:iteration": n}}"""
    calls = collections.defaultdict(dict)
    for key, count in history["calls"].items():
        execution, place = key.split(":", 1)
        calls[execution][place] = count
    return calls


def check_counts(execution, expected, detail, calls):
    """One too many is forgiven when the ledger shows an attempt more, for then nobody is told less than what happened."""
    wrong = []
    attempts = attempts_of(detail)
    for place in sorted(set(expected["calls"]) | set(calls)):
        wanted, happened = expected["calls"].get(place, 0), calls.get(place, 0)
        if wanted == 0:
            wrong.append(f"{execution} {place}: called {happened} times, which the flow does not ask for")
        elif happened < wanted and expected["exact"]:
            wrong.append(f"{execution} {place}: called {happened} times instead of {wanted}")
        elif happened > max(wanted, allowed_calls(attempts, place, wanted)):
            wrong.append(f"{execution} {place}: called {happened} times instead of {wanted}; the ledger explains {allowed_calls(attempts, place, wanted)}")
    return wrong


def check_children(execution, expected, started):
    """Each place starts one execution, once."""
    wrong = []
    for node in sorted(set(expected.get("children", {})) | set(started)):
        wanted, found = expected.get("children", {}).get(node, [0])[0], started.get(node, 0)
        if found > wanted or (found < wanted and expected["exact"]):
            wrong.append(f"{execution} {node}: has started {found} executions instead of {wanted}")
    return wrong


# Told by a node whose end was lost with its worker: the second time it waits until another time, or for another child.
CHANGING = re.compile(r'"(?:executionId|deadline)":"[^"]*"')


def told_bodies(detail, node):
    """What each iteration of a step asked for, as the execution's history tells: {iteration: body}"""
    entries = [one for entry in detail.get("nodeExecutions") or [] if entry["nodeId"] == node for one in [entry, *(entry.get("iterations") or [])]]
    return {one["iteration"]: one["input"]["body"] for one in entries if "iteration" in one and "body" in (one.get("input") or {})}


def check_bodies(history):
    """A repeat asks for the same as before. Items in any order may come in another one as long as it is not stored, and a
    worker that was thought lost may ask by its own order even later; what counts in the end has each once. Of executions
    whose acceptance nobody was told of it is not known what they may do."""
    bodies = history.get("bodies", {})
    shuffled = {f"{execution}:{node}": items for execution, expected in history["accepted"].items() for node, items in expected.get("shuffled", {}).items()}
    unlike = [f"{key}: asked for {asked}" for key, asked in sorted(bodies.items())
              if key.split(":")[0] in history["accepted"] and key.rsplit(":", 1)[0] not in shuffled and len({CHANGING.sub("", body) for body in asked}) > 1]
    for execution, expected in history["accepted"].items():
        for node, items in expected.get("shuffled", {}).items() if expected["exact"] else ():
            told = told_bodies(history["details"].get(execution) or {}, node)
            if sorted(told.values()) != items:
                unlike.append(f"{execution}:{node}: ran for the items {sorted(told.values())} instead of {items}")
            unlike += [f"{execution}:{node}:{iteration}: is told to have asked for {body} and has not" for iteration, body in sorted(told.items())
                       if body not in map(json.loads, bodies.get(f"{execution}:{node}:{iteration}", []))]
    return unlike


def check_changes(history):
    """A final status stays, with the end that it had."""
    changed = []
    ends = {}
    last = [[None, execution, detail["status"], detail.get("endTime")] for execution, detail in history["details"].items() if detail]
    for _, execution, status, end in history["seen"] + last:
        if execution in ends and ends[execution] != (status, end):
            changed.append(f"{execution}: was {ends[execution]}, then {(status, end)}")
        if status in FINAL:
            ends[execution] = (status, end)
    return changed


def check_schedules(history):
    doubled, missed = [], []
    for schedule in history["schedules"]:
        fired = collections.Counter(schedule["fired"])
        doubled += [f"schedule {schedule['name']}: {instant} fired {n} times" for instant, n in sorted(fired.items()) if n > 1]
        missed += [f"schedule {schedule['name']}: {instant} never fired" for instant in schedule["expected"] if fired[instant] == 0]
    return doubled, missed


def check(history):
    """{verdict: [a sentence for each finding]} with every name of VERDICTS."""
    found = {name: [] for name in VERDICTS}
    calls = count_calls(history)
    for execution, expected in history["accepted"].items():
        detail = history["details"].get(execution)
        if detail is None:
            found["lost"].append(f"{execution} ({expected['flow']}) was accepted and is not there")
        elif detail["status"] not in FINAL:
            found["stuck"].append(f"{execution} ({expected['flow']}) is {detail['status']}")
        else:
            if detail["status"] not in expected["statuses"]:
                found["wrong"].append(f"{execution} ({expected['flow']}) is {detail['status']} instead of {expected['statuses']}: {detail.get('errorMessage')}")
            found["miscounted"] += check_counts(execution, expected, detail, calls.get(execution, {}))
            found["children"] += check_children(execution, expected, history.get("children", {}).get(execution, {}))
    found["changed"] = check_changes(history)
    found["unlike"] = check_bodies(history)
    found["restarted"] = [f"the start {key} gave {sorted(set(ids))}" for key, ids in history["starts"].items() if len(set(ids)) > 1]
    found["doubled"], found["missed"] = check_schedules(history)
    return found


def line(history, found):
    repeats = sum(1 for n in history["calls"].values() if n > 1)
    counts = " ".join(f"{name}={len(found[name])}" for name in VERDICTS)
    instants = sum(len(schedule["expected"]) for schedule in history["schedules"])
    return f"accepted={len(history['accepted'])} instants={instants} repeated={repeats} {counts}"


def main(path):
    with open(path, encoding="utf-8") as file:
        history = json.load(file)
    found = check(history)
    for name in VERDICTS:
        for sentence in found[name]:
            print(f"{name}: {sentence}")
    print(line(history, found))
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
