#!/usr/bin/env python3
"""The history checker finds what is planted, and nothing where nothing is."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import history as h  # noqa: E402


def entry(node, *attempts):
    return {"nodeId": node, "status": "success", "attempts": [{"attempt": n + 1, "epoch": 1, **a} for n, a in enumerate(attempts)]}


def good():
    one = {"status": "success", "endTime": "T2", "nodeExecutions": [entry("t"), entry("call", {"status": "success"}), entry("each", {}),
                                                                     entry("in", {"iteration": "0.0"}, {"iteration": "1.0"})]}
    return {"accepted": {"a": {"flow": "f", "statuses": ["success"], "exact": True, "calls": {"call:0": 1, "in:0.0": 1, "in:1.0": 1}},
                         "b": {"flow": "g", "statuses": ["cancelled"], "exact": False, "calls": {"call:0": 1}}},
            "starts": {"k1": ["a", "a"], "k2": ["b"]},
            "seen": [[1, "a", "running", None], [2, "a", "success", "T2"], [3, "a", "success", "T2"], [3, "b", "cancelled", "T3"]],
            "details": {"a": one, "b": {"status": "cancelled", "endTime": "T3", "nodeExecutions": []}},
            "calls": {"a:call:0": 1, "a:in:0.0": 1, "a:in:1.0": 1},
            "schedules": [{"name": "s", "expected": [1000, 2000], "fired": [1000, 2000, 3000]}]}


class Checker(unittest.TestCase):
    def found(self, history):
        return {name: len(sentences) for name, sentences in h.check(history).items() if sentences}

    def planted(self, change, **expected):
        history = copy.deepcopy(good())
        change(history)
        self.assertEqual(self.found(history), expected)

    def test_nothing_where_nothing_is(self):
        self.assertEqual(self.found(good()), {})

    def test_a_lost_execution(self):
        self.planted(lambda x: x["details"].update(a=None), lost=1)
        self.planted(lambda x: x["details"].pop("a"), lost=1)

    def test_a_stuck_one(self):
        for status in ("running", "pending", "paused"):
            self.planted(lambda x, s=status: (x["details"]["a"].update(status=s, endTime=None), x.update(seen=x["seen"][:1])), stuck=1)

    def test_a_change_after_a_final_status(self):
        self.planted(lambda x: x["seen"].insert(2, [2.5, "a", "running", None]), changed=1)
        self.planted(lambda x: x["seen"].insert(2, [2.5, "a", "failed", "T2"]), changed=2)  # there and back
        self.planted(lambda x: x["seen"].append([4, "a", "success", "T4"]), changed=2)  # it ended once more
        self.planted(lambda x: x["details"]["b"].update(endTime="T9"), changed=1)  # at the end only

    def test_a_status_that_the_flow_cannot_have(self):
        self.planted(lambda x: (x["details"]["a"].update(status="failed"), x.update(seen=[])), wrong=1)
        self.planted(lambda x: (x["details"]["b"].update(status="success"), x.update(seen=[])), wrong=1)  # cancelled, and went on

    def test_a_counter_off_by_one(self):
        self.planted(lambda x: x["calls"].update({"a:call:0": 2}), miscounted=1)
        self.planted(lambda x: x["calls"].update({"a:call:0": 0}), miscounted=1)
        self.planted(lambda x: x["calls"].pop("a:in:1.0"), miscounted=1)
        self.planted(lambda x: x["calls"].update({"a:in:2.0": 1}), miscounted=1)
        self.planted(lambda x: x["calls"].update({"b:call:0": 2}), miscounted=1)

    def test_a_second_attempt_in_the_ledger_explains_a_second_call_of_its_own_place_only(self):
        def again(history, iteration, calls):
            history["details"]["a"]["nodeExecutions"][3]["attempts"].append({"attempt": 1, "epoch": 2, "iteration": iteration})
            history["calls"].update(calls)
        self.planted(lambda x: again(x, "1.0", {"a:in:1.0": 2}))
        self.planted(lambda x: again(x, "0.0", {"a:in:1.0": 2}), miscounted=1)
        self.planted(lambda x: again(x, "1.0", {"a:in:1.0": 3}), miscounted=1)

    def test_attempts_of_former_iterations_count_for_those_only(self):
        def iterations(history, calls):
            nested = {"iteration": "0.0", "attempts": [{"attempt": 1, "epoch": 1}, {"attempt": 2, "epoch": 2}]}
            history["details"]["a"]["nodeExecutions"][3] = {"nodeId": "in", "iteration": "1.0", "attempts": [{"attempt": 1, "epoch": 2}], "iterations": [nested]}
            history["calls"].update(calls)
        self.planted(lambda x: iterations(x, {"a:in:0.0": 2}))
        self.planted(lambda x: iterations(x, {"a:in:1.0": 2}), miscounted=1)
        self.planted(lambda x: iterations(x, {"a:in:0.0": 3}), miscounted=1)

    def test_an_attempt_of_unknown_outcome_stands_for_one_epoch(self):
        def lost(history, calls, wanted=1):
            history["details"]["a"]["nodeExecutions"][1]["attempts"] = [{"attempt": 1, "epoch": 1, "status": "unknown"}, {"attempt": 2, "epoch": 3, "status": "unknown"},
                                                                        {"attempt": 3, "epoch": 4, "status": "success"}]
            history["accepted"]["a"]["calls"]["call:0"] = wanted
            history["calls"]["a:call:0"] = calls
        self.planted(lambda x: lost(x, 3))
        self.planted(lambda x: lost(x, 4), miscounted=1)
        self.planted(lambda x: lost(x, 6, wanted=4))  # a step that is called until it succeeds
        self.planted(lambda x: lost(x, 7, wanted=4), miscounted=1)

    def test_each_success_but_one_of_a_step_that_fails_first_is_a_further_call(self):
        def again(history, calls):
            history["details"]["a"]["nodeExecutions"][1]["attempts"] = [{"attempt": 1, "epoch": 1, "status": "backoff"}, {"attempt": 2, "epoch": 1, "status": "unknown"},
                                                                        {"attempt": 2, "epoch": 2, "status": "success"}, {"attempt": 3, "epoch": 3, "status": "success"}]
            history["accepted"]["a"]["calls"]["call:0"] = 4
            history["calls"]["a:call:0"] = calls
        self.planted(lambda x: again(x, 6))
        self.planted(lambda x: again(x, 7), miscounted=1)

    def test_a_cancelled_one_may_have_done_less(self):
        self.planted(lambda x: x["calls"].update({"b:call:0": 1}))

    def test_a_place_that_started_too_many_or_too_few(self):
        def children(history, started, exact=True):
            history["accepted"]["a"].update(children={"sub": [1]}, exact=exact)
            history["children"] = {"a": started}
        self.planted(lambda x: children(x, {"sub": 1}))
        self.planted(lambda x: children(x, {"sub": 2}), children=1)
        self.planted(lambda x: children(x, {}), children=1)
        self.planted(lambda x: children(x, {}, exact=False))
        self.planted(lambda x: children(x, {"sub": 1, "call": 1}), children=1)

    def test_a_repeat_that_asks_for_something_else(self):
        self.planted(lambda x: x.update(bodies={"a:call:0": ['{"n":1}']}))
        self.planted(lambda x: x.update(bodies={"a:call:0": ['{"n":1}', '{"n":2}']}), unlike=1)
        self.planted(lambda x: x.update(bodies={"a:call:0": ['{"deadline":"T1","n":1}', '{"deadline":"T2","n":1}']}))
        self.planted(lambda x: x.update(bodies={"unanswered:call:0": ['{"n":1}', '{"n":2}']}))

    def test_shuffled_items_come_once_each_in_what_counts(self):
        def shuffled(history, told, *asked):
            history["accepted"]["a"]["shuffled"] = {"in": [1, 2]}
            history["bodies"] = {f"a:in:{place}.0": list(bodies) for place, bodies in enumerate(asked)}
            nested = [{"iteration": f"{place}.0", "input": {"body": item}, "attempts": [{"attempt": 1, "epoch": 1}]} for place, item in enumerate(told)]
            history["details"]["a"]["nodeExecutions"][3] = {"nodeId": "in", **nested[-1], "iterations": nested[:-1]}
        self.planted(lambda x: shuffled(x, [2, 1], ["2"], ["1"]))
        self.planted(lambda x: shuffled(x, [2, 1], ["2", "1"], ["1"]))  # the latest is of a worker that was thought lost
        self.planted(lambda x: shuffled(x, [1, 1], ["1"], ["1"]), unlike=1)
        self.planted(lambda x: shuffled(x, [1], ["1"]), unlike=1)
        self.planted(lambda x: shuffled(x, [1, 2], ["1"], ["1"]), unlike=1)

    def test_a_start_that_gave_two_executions(self):
        self.planted(lambda x: x["starts"]["k2"].append("c"), restarted=1)

    def test_a_schedule_fired_twice_or_missed(self):
        self.planted(lambda x: x["schedules"][0]["fired"].append(3000), doubled=1)
        self.planted(lambda x: x["schedules"][0]["fired"].remove(2000), missed=1)

    def test_the_last_line_and_the_exit_code(self):
        for change, code, text in ((lambda x: None, 0, "lost=0 stuck=0 changed=0 wrong=0 miscounted=0 children=0 unlike=0 restarted=0 doubled=0 missed=0"),
                                   (lambda x: x["details"].update(a=None), 1, "lost=1 stuck=0 changed=0")):
            history = good()
            change(history)
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(history, file)
                file.flush()
                done = subprocess.run([sys.executable, h.__file__, file.name], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(text, done.stdout.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
