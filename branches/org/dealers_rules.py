"""Rules of dealers: doubles, the channel tree, merging. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from sdm.kernel.errors import N_, describe
from sdm.kernel.pinyin import fold

FIRST_DAY = date(1900, 1, 1)
SIMILAR_FROM = 0.6

SIMILAR = "dealer.similar"
PAYER_PAYS_OTHER = "dealer.payer_pays_other"
PAYER_HAS_PAYERS = "dealer.payer_has_payers"
PARENT_LOOP = "dealer.parent_loop"
PARENT_EARLIER = "dealer.parent_earlier"
NOT_SELECTABLE = "dealer.not_selectable"
MERGE_SELF = "dealer.merge_self"
MERGE_UNIT = "dealer.merge_unit"
MERGE_COLLECTIVE = "dealer.merge_collective"
MERGE_OPEN = "dealer.merge_open"
MERGED = "dealer.merged"
OPEN_BUSINESS = "dealer.open_business"
MOVE_OPEN = "dealer.move_open"

describe(
    {
        SIMILAR: N_("There is a dealer like this already; open it, or confirm that this is another one"),
        "dealer.tax_no_elsewhere": N_("A dealer with this tax number is served by %(unit)s; ask there before going on"),
        PAYER_PAYS_OTHER: N_("%(value)s does not pay for itself; choose the dealer who pays in the end"),
        PAYER_HAS_PAYERS: N_("This dealer pays for others and cannot have another payer; change theirs first"),
        PARENT_LOOP: N_("A dealer cannot stand below itself in the channel; choose another parent"),
        PARENT_EARLIER: N_("There is a later move on %(last)s already; choose that day or a later one"),
        NOT_SELECTABLE: N_("%(value)s is inactive; choose another dealer"),
        MERGE_SELF: N_("A dealer cannot be merged into itself"),
        MERGE_UNIT: N_("Both dealers must belong to the same unit; move one of them first"),
        MERGE_COLLECTIVE: N_("A collective dealer cannot be merged"),
        MERGE_OPEN: N_("The double still has open business: %(reasons)s; finish it first"),
        OPEN_BUSINESS: N_("%(name)s still has open business: %(reasons)s; finish it first, or block the dealer"),
        MOVE_OPEN: N_("The dealer still has open business with its branch: %(reasons)s; finish it before it moves"),
        MERGED: N_("This dealer was merged into another one and cannot be changed"),
        "dealer.block_reason": N_("Say why the dealer is blocked"),
        "dealer.term_prepaid": N_("A dealer who pays before shipment has no payment term; set 0 days"),
        "grade.in_use": N_("The grade is used by %(count)s dealers; move them first"),
    }
)

_LEGAL_FORM = re.compile(
    r"(股份有限公司|有限责任公司|集团有限公司|有限公司|责任公司|股份公司|分公司|总公司|公司|集团|"
    r"经营部|营业部|专卖店|门市部|商行|商店|商场|批发部|co\.?,? ?ltd\.?|limited|inc\.?|corp\.?)"
)
_NOISE = re.compile(r"[\s()（）\[\]【】\-—_·.,，。&]+")


def core_name(name: str) -> str:
    """What remains of a name without legal form, brackets and blanks; the whole name when nothing would."""
    folded = fold(name)
    core = _NOISE.sub("", _LEGAL_FORM.sub("", folded))
    return core or _NOISE.sub("", folded)


def name_similarity(first: str, second: str) -> float:
    """0 (nothing in common) to 1 (equal but for legal form and punctuation): pairs of characters that both share."""
    one, other = core_name(first), core_name(second)
    if one == other:
        return 1.0
    pairs_one, pairs_other = _pairs(one), _pairs(other)
    shared = sum(min(count, pairs_other.get(pair, 0)) for pair, count in pairs_one.items())
    total = sum(pairs_one.values()) + sum(pairs_other.values())
    return 2 * shared / total if total else 0.0


def _pairs(text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for start in range(len(text) - 1):
        pair = text[start : start + 2]
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def is_similar(first: str, second: str) -> bool:
    """Whether two names probably mean the same dealer."""
    return name_similarity(first, second) >= SIMILAR_FROM


def makes_loop(dealer_id: int, parent_id: int | None, parents: Mapping[int, int | None]) -> bool:
    """Whether standing below `parent_id` would put the dealer below itself. `parents` maps dealers to their parent."""
    seen: set[int] = set()
    above = parent_id
    while above is not None and above not in seen:
        if above == dealer_id:
            return True
        seen.add(above)
        above = parents.get(above)
    return False


def below(dealer_id: int, parents: Mapping[int, int | None]) -> set[int]:
    """The dealer and all below it. `parents` maps dealers to their parent."""
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(child)
    found: set[int] = set()
    waiting = [dealer_id]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(children.get(current, ()))
    return found


def digits(phone: str) -> str:
    """Digits of a phone number."""
    return re.sub(r"\D", "", phone or "")
