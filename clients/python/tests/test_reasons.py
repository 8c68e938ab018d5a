"""The rules by which calls are made again."""

from __future__ import annotations

import json
from pathlib import Path

from polarway._generated.reasons import REASONS, Rule

CASES = Path(__file__).parents[3] / "proto" / "cases"


def test_every_reason_has_the_code_and_the_rule_that_all_clients_share() -> None:
    shared = json.loads((CASES / "reasons.json").read_text())
    assert {case["reason"]: Rule(case["code"], case["retry"], case["busy"]) for case in shared} == REASONS
