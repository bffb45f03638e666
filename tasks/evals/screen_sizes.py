"""Whether a suite knows how large its screenshots are: some annotations do not say, and their pictures may be away."""

from __future__ import annotations

from .sample import Suite


def sizes_known(suite: Suite) -> bool:
    """Not where its reader had to take the least size that has room for the answers, as its convention then says.

    Shares and thousandths then have no place in px, and no point can be called off its screenshot.
    """
    from .suites.assemble import SIZES_UNKNOWN

    return SIZES_UNKNOWN.partition("{count}")[2] not in suite.convention
