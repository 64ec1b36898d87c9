"""The one exception of the tools and the local service, and how an operator's mistake is shown.

```
LocalError    its message is a sentence for the person at the keyboard; the command line prints it and exits with 1
```
"""

import re
from typing import Final

_LONGEST_WORD: Final = 200
_SHOWN: Final = 60
_LONGEST_SENTENCE: Final = 2_000
_END: Final = 500


class LocalError(Exception):
    """A failure that the reader of its message can put right."""


def in_one_line(error: object) -> str:
    """Return a sentence without what would break its line.

    Of very long words it has the beginnings alone; a very long sentence lacks its middle, because what is allowed
    stands at the end.
    """
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(error))
    text = re.sub(rf"\S{{{_LONGEST_WORD},}}", lambda word: f"{word[0][:_SHOWN]}…", text)
    if len(text) <= _LONGEST_SENTENCE:
        return text
    return f"{text[: _LONGEST_SENTENCE - _END]} … {text[-_END:]}"
