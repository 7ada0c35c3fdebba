"""A verdict as JUnit XML: each rule's row is a test, so that any CI shows it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from harness.types import RuleResult, Status, Verdict

# Characters that XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(verdict: Verdict) -> bytes:
    """One suite: a test for the verdict, and one for each row.

    HOLD and INCONCLUSIVE fail, INVALID is an error: nothing but SHIP may look green. An
    advisory row that does not pass is skipped, as it decides nothing.
    """
    cases = [_verdict_case(verdict), *(_row_case(row) for row in verdict.rules)]
    suite = ET.Element("testsuite", name="harness gate", tests=str(len(cases)))
    for kind, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(kind) is not None for case in cases)))
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _verdict_case(verdict: Verdict) -> ET.Element:
    case = _case("verdict", f"verdict of {verdict.candidate or 'no candidate'}")
    return _mark(case, verdict.status, "; ".join(verdict.warnings), gating=True)


def _row_case(row: RuleResult) -> ET.Element:
    where = [row.task, row.slice, row.versus and f"vs {row.versus}"]
    case = _case(f"rule.{row.metric}", " ".join([row.role, row.metric, *(w for w in where if w)]))
    return _mark(case, row.status, row.reason, gating=row.gating)


def _case(group: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=_clean(group), name=_clean(name), time="0")


def _mark(case: ET.Element, status: Status, reason: str, *, gating: bool) -> ET.Element:
    if status is Status.SHIP:
        return case
    kind = "error" if status is Status.INVALID else "failure"
    message = _clean(f"{status.value}: {reason}")
    ET.SubElement(case, kind if gating else "skipped", type=status.value, message=message)
    return case


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
