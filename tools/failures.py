"""The one exception of the local tools.

```
LocalError    its message is a sentence for the person at the keyboard; the command line prints it and exits with 1
```
"""


class LocalError(Exception):
    """Something that the reader of the sentence can put right."""
