"""Makes the names of columns distinct, as the server does when it keeps a result."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def distinct(names: Sequence[str]) -> list[str]:
    """The names that the columns of a kept result would have.

    The first of several equal names stays, and the others get a number, which never gives a name that another column
    has. As in SQL, upper and lower case are equal.
    """
    given = {name.lower() for name in names}
    taken: set[str] = set()
    numbers: dict[str, itertools.count[int]] = {}
    result = []
    for name in names:
        renamed = name
        if name.lower() in taken:
            for number in numbers.setdefault(name.lower(), itertools.count(1)):
                renamed = f"{name}_{number}"
                if renamed.lower() not in given and renamed.lower() not in taken:
                    break
        taken.add(renamed.lower())
        result.append(renamed)
    return result
