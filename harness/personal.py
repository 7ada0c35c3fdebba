"""Personal data in text: e-mail addresses, telephone, card and account numbers, and the like.

Found by their form and, where they have one, by their checksum. Names, postal addresses and dates
of birth have neither and are not found, nor is what is spelt out ("jane at example dot com").
Time is linear in the length of the text.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from types import MappingProxyType

from harness.errors import SuiteError, did_you_mean

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "iban": "IBANs of the length, structure and ISO 7064 check digits of their country",
        "card": "payment card numbers (13 to 19 digits from 22 to 69, solid or in the groups that "
        "are printed on cards, right by the Luhn formula)",
        "us_ssn": "US social security numbers (written 000-00-0000, of a range that is issued)",
        "email": "e-mail addresses (in Latin letters)",
        "ip": "IP addresses (IPv4 with a part above 9, IPv6 with three colons or more; not "
        "loopback, multicast or reserved ones)",
        "phone": "telephone numbers that are valid in their country's numbering plan",
    }
)
"""Each kind of datum and what is taken for one, the most certain first."""
_PACKAGES = {
    **dict.fromkeys(("iban", "card", "us_ssn"), "python-stdnum"),
    "phone": "phonenumbers",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One datum, at ``text[start:end]``."""

    kind: str
    start: int
    end: int
    normal: str = field(repr=False)
    """The same however the datum is written: +493012345678 for "+49 (30) 1234-5678"."""


def find(text: str, kinds: Sequence[str] = tuple(KINDS), region: str | None = None) -> list[Found]:
    """The personal data in ``text``, in order; no two overlap.

    ``region`` is the country (ISO 3166-1, such as "DE") from which telephone numbers without a
    "+" are dialled; None: only those with one are found. Raises SuiteError for an unknown kind
    or region.
    """
    text = text if text.isascii() else text.translate(_PLAIN)
    region = checked_region(region)
    found: list[Found] = []
    taken = bytearray(len(text))
    for kind in checked_kinds(kinds):
        for start, end, normal in _phones(text, region) if kind == "phone" else _FIND[kind](text):
            # What is a card number is not a telephone number as well.
            if 1 not in taken[start:end]:
                taken[start:end] = b"\1" * (end - start)
                found.append(Found(kind, start, end, normal))
    return sorted(found, key=lambda one: one.start)


def versions(kinds: Sequence[str]) -> list[str]:
    """``name==version`` of the packages that decide on these kinds."""
    names = sorted({_PACKAGES[kind] for kind in kinds if kind in _PACKAGES})
    return [f"{name}=={version(name)}" for name in names]


def checked_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds, each once, in the order in which they are looked for. Raises SuiteError."""
    if isinstance(kinds, str) or not all(isinstance(kind, str) for kind in kinds) or not kinds:
        raise SuiteError(f"kinds must be a list of some of {', '.join(KINDS)}, got {kinds!r}.")
    for kind in kinds:
        if kind not in KINDS:
            raise SuiteError(f"There is no kind {kind!r} of data.{did_you_mean(kind, KINDS)}")
    return tuple(kind for kind in KINDS if kind in kinds)


def checked_region(region: str | None) -> str | None:
    """The region in upper case. Raises SuiteError for one without a numbering plan."""
    if region is None:
        return None
    import phonenumbers

    known = phonenumbers.SUPPORTED_REGIONS
    if not isinstance(region, str) or region.upper() not in known:
        raise SuiteError(
            f"region must be the ISO 3166-1 code of a country, such as 'DE', got {region!r}. "
            f"Known: {', '.join(sorted(known))}."
        )
    return region.upper()


_Spans = Iterator[tuple[int, int, str]]
"""Start, end and normal form of each datum."""
_PLAIN: dict[int, str | int] = {
    **{wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)},  # Fullwidth forms of ASCII.
    **dict.fromkeys((0x00A0, 0x2007, 0x202F, 0x3000), " "),
    **dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212), "-"),
}
"""One character for one, so that places stay."""

# --------------------------------------------------------------------------- accounts

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}")


def _ibans(text: str) -> _Spans:
    from stdnum import iban

    for start in _IBAN.finditer(text):
        whole = _iban_of(start[0][:2].upper())
        match = whole.match(text, start.start()) if whole else None
        if match and iban.is_valid(match[0]):
            yield *match.span(), iban.compact(match[0])


@cache
def _iban_of(country: str) -> re.Pattern[str] | None:
    """As many letters and digits as the country's IBANs have, in groups or not; None: it has
    none. The text that follows may be in capitals, so the form alone does not tell the end."""
    from stdnum import numdb

    (_, known), *_ = numdb.get("iban").info(country)
    if "bban" not in known:
        return None
    rest = 2 + sum(map(int, re.findall(r"(\d+)!", known["bban"])))
    return re.compile(rf"[A-Za-z]{{2}}(?:[ -]?[A-Za-z0-9]){{{rest}}}(?![A-Za-z0-9])")


_CARD = re.compile(
    r"""
    (?<![\w+]) (?<!\w[.-])               # no fraction, no part of a longer identifier
    (?= [3-6] | 2[2-9] )                 # 1 and 20 are years and times, 978 is a book
    (?: (?<!\d[ ]) \d{4} ([ -]) \d{4} \1 \d{4} \1 \d{4} (?: \1 \d{3} )?
      | (?<!\d[ ]) \d{4} ([ -]) \d{6} \2 \d{4,5}
      | \d{13,19} )
    (?! \w | [.-]\w | [ ]\d{4}[ ]\d{4} )     # no row of numbers
    """,
    re.ASCII | re.VERBOSE,
)


def _cards(text: str) -> _Spans:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if luhn.is_valid(digits):
            yield *match.span(), digits
        elif match[1] and len(digits) == 19 and luhn.is_valid(digits[:16]):
            # The last three are the verification code.
            yield match.start(), match.end() - 4, digits[:16]


_US_SSN = re.compile(r"(?<![\w+])(?<!\w[.-])\d{3}-\d{2}-\d{4}(?!\w|[.-]\w)", re.ASCII)


def _us_ssns(text: str) -> _Spans:
    from stdnum.us import ssn

    for match in _US_SSN.finditer(text):
        if ssn.is_valid(match[0]):
            yield *match.span(), ssn.compact(match[0])


# -------------------------------------------------------------------------- addresses

# Latin letters with marks too; all letters would take in the words of scripts without spaces.
_WORD = "A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_LABEL = rf"[{_WORD}](?:[{_WORD}-]{{0,61}}[{_WORD}])?"
_EMAIL = re.compile(
    rf"(?<![{_WORD}])[{_WORD}_][{_WORD}._%+-]{{0,63}}"
    rf"@(?:{_LABEL}\.){{1,10}}(?:[A-Za-z]{{2,24}}|xn--[A-Za-z0-9-]{{2,59}})(?![{_WORD}])"
)


def _emails(text: str) -> _Spans:
    # What is left of the @ may be told apart by case, but hardly a server does.
    if "@" not in text:
        return iter(())
    # An underscore before it may be Markdown's.
    return ((*match.span(), match[0].lower().lstrip("_")) for match in _EMAIL.finditer(text))


_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:.]{5,45}+(?!\w)", re.ASCII)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)", re.ASCII)


def _ips(text: str) -> _Spans:
    for match in _IPV6.finditer(text):
        written = match[0].rstrip(".")
        if written[-2:] != "::":
            written = written.rstrip(":")
        # A slice (1::2) and a name of C++ (a::b) have two colons.
        if written.count(":") >= 3 and (address := _address(written)):
            yield match.start(), match.start() + len(written), address
    for match in _IPV4.finditer(text):
        # 3.1.2.1 is a section.
        if re.search(r"\d\d", match[0]) and (address := _address(match[0])):
            yield *match.span(), address


def _address(written: str) -> str | None:
    """Its shortest form; None where it is no address, or one that no machine has to itself."""
    try:
        found = ipaddress.ip_address(written)
    except ValueError:
        return None
    if found.is_unspecified or found.is_loopback or found.is_multicast or found.is_reserved:
        return None
    return str(found)


def _phones(text: str, region: str | None) -> _Spans:
    import phonenumbers

    if region is None and "+" not in text:
        return
    e164 = phonenumbers.PhoneNumberFormat.E164
    trunk = region and phonenumbers.ndd_prefix_for_region(region, True)
    # Its own bound on tries would leave the end of a long text unread.
    for match in phonenumbers.PhoneNumberMatcher(text, region, max_tries=sys.maxsize):
        if "+" in match.raw_string or _dialled(text, match.start, match.raw_string, trunk):
            yield match.start, match.end, phonenumbers.format_number(match.number, e164)


_NOT_DIALLED = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])|\d\d?\.\d\d?\.\d{4}\Z|\. | -\d")
"""A fraction, a date, a sentence that ends in a number, a negative number."""
_BEFORE = re.compile(r"(?:\d[ .,]|-|ISBN:? ?)\Z")
_AFTER = re.compile(r"_|[.,]\d| -?\d")
"""The rest of a row of numbers, or of an identifier."""


def _dialled(text: str, start: int, written: str, trunk: str | None) -> bool:
    """Whether it is written as a telephone number is, and not as pages, years or measures are."""
    end = start + len(written)
    if _NOT_DIALLED.search(written) or _AFTER.match(text, end):
        return False
    if _BEFORE.search(text[max(0, start - 6) : start]):
        return False
    groups = re.findall(r"\d+", written)
    digits = "".join(groups)
    # Numbers within a town are too short to tell, but mobile ones may go without the trunk 0.
    if len(digits) < (10 if trunk == "0" and digits[0] != "0" else 7):
        return False
    return len(groups) <= 6 and sum(len(group) == 1 for group in groups) <= 2


_FIND: Mapping[str, Callable[[str], _Spans]] = {
    "iban": _ibans,
    "card": _cards,
    "us_ssn": _us_ssns,
    "email": _emails,
    "ip": _ips,
}
