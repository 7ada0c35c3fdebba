"""A language model that judges answers, and how far it can be trusted.

``rubric.py`` and ``prompt.py`` make the question, ``fence.py`` keeps what is judged from being
taken for it, ``reading.py`` reads the verdict, ``panel.py`` asks one or more models and keeps each
verdict, ``verdicts.py`` makes values of them. ``calibration.py`` holds verdicts against human
labels, ``probes.py`` tries to fool the judge. Knows nothing of variants, runs or suites.
"""

from harness.judging.models import JudgeModel
from harness.judging.rubric import Rubric

__all__ = ["JudgeModel", "Rubric"]
