"""The one exception of the tools and the local service.

```
LocalError    its message is a sentence for the person at the keyboard; the command line prints it and exits with 1
```
"""


class LocalError(Exception):
    """A failure that the reader of its message can put right."""
