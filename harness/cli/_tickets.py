"""Made-up support tickets for a new project: small, labelled, and nobody's data."""

from __future__ import annotations

import json
import random
from itertools import product

LABELS = ("billing", "login", "shipping", "other")
SYSTEM = "Answer with the queue of the ticket alone: billing, login, shipping or other."

_OPENINGS = (
    "Hello,",
    "Hi team,",
    "Good morning,",
    "Dear support,",
    "Hey,",
    "To whom it may concern,",
    "Second mail about this:",
    "Quick one:",
)
_CLOSINGS = (
    "Thanks.",
    "Please help.",
    "Can you look into it today?",
    "What do I do now?",
    "Waiting for your answer.",
)
_PROBLEMS = {
    "billing": (
        "the invoice for March shows two charges for one order",
        "my card was debited although I cancelled the plan",
        "the discount code is missing on my last bill",
        "I need a receipt with our company's tax number",
        "the refund you promised has not reached my account",
        "why did the monthly price go up without a notice",
        "the payment failed and the order is gone",
        "I was billed for a seat that nobody uses",
        "the amount on the statement differs from the offer",
        "please change the payment method to direct debit",
        "the annual fee was taken a week too early",
        "there is a charge in dollars, we pay in euros",
    ),
    "login": (
        "the reset link says that it has expired",
        "my password is refused since the update",
        "the code for the second factor never arrives",
        "I am thrown out after a minute and must sign in again",
        "my colleague cannot activate the new account",
        "single sign-on ends on an empty page",
        "the captcha does not load, so I cannot enter",
        "my user is locked after three attempts",
        "the app asks for a PIN that I never set",
        "I changed my mail address and the old one is still asked for",
        "the session ends whenever I switch the tab",
        "the invitation to join the workspace gives an error",
    ),
    "shipping": (
        "the parcel has been in the depot for six days",
        "the driver left the box with a neighbour I do not know",
        "the tracking number is not found",
        "half of the order arrived, the rest is nowhere",
        "the address label has the wrong house number",
        "the package came open and wet",
        "when will the replacement be sent out",
        "customs want a form that was not enclosed",
        "I was at home and the courier wrote that nobody was",
        "please send it to the pick-up point instead",
        "the delivery date moved for the third time",
        "the wrong size is in the carton",
    ),
    "other": (
        "do you have an office in Lisbon that one can visit",
        "I would like to write about your firm in our paper",
        "is the manual there in Dutch",
        "our club looks for a sponsor for the summer run",
        "who is in charge of accessibility at your place",
        "can your product be used in a classroom",
        "I have an idea for a feature, where may I post it",
        "are you at the fair in Hanover this year",
        "which licence do the icons on your page have",
        "my daughter looks for an internship in design",
        "how do you choose the charities that you support",
        "what happened to the podcast, it was good",
    ),
}
EVAL_PROBLEMS = 8
"""Of the twelve problems of each label; the others are for training, so that none is in both."""
EACH = 5
"""Tickets of a problem: with different openings and closings."""


def rows() -> tuple[list[str], list[str]]:
    """Lines of ``eval.jsonl`` and of ``train.jsonl``; always the same."""
    rng = random.Random(0)
    evaluation: list[str] = []
    training: list[str] = []
    for label in LABELS:
        for number, problem in enumerate(_PROBLEMS[label]):
            name = f"{label}-{number}"
            frames = rng.sample(list(product(_OPENINGS, _CLOSINGS)), EACH)
            lines = [
                _row(f"{name}-{i}", f"{a} {problem}. {b}", label, name)
                for i, (a, b) in enumerate(frames)
            ]
            (evaluation if number < EVAL_PROBLEMS else training).extend(lines)
    return evaluation, training


def _row(name: str, text: str, label: str, cluster: str) -> str:
    # Tickets about one problem are no independent evidence, and the gate must know.
    row = {"id": name, "input": text, "target": label, "cluster": cluster}
    return json.dumps(row, ensure_ascii=False)
