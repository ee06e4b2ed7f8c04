"""Made-up words, so that no name of a service or an operation hints at the culprit."""

import numpy as np

SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]


class Names:
    """Random words, each drawn only once."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._used: set[str] = set()

    def new(self) -> str:
        """A word of three syllables that was not drawn before."""
        while True:
            word = "".join(str(self._random.choice(SYLLABLES)) for _ in range(3))
            if word not in self._used:
                self._used.add(word)
                return word

    def some(self, count: int) -> tuple[str, ...]:
        """So many new words."""
        return tuple(self.new() for _ in range(count))
