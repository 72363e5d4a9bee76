"""Declares what a client may choose about an adaptive lane."""

from dataclasses import dataclass

NUM_ORDERS = 4  # most contexts of different lengths that a lane counts
MAX_ORDER = 8
MIN_WINDOW, MAX_WINDOW = 1024, 65_536  # characters
WINDOW_BLOCKS = 8  # a window slides by this part of it


@dataclass(frozen=True, slots=True)
class Adaptive:
    """What a lane counts of the text it reads.

    `orders` are the lengths of the contexts, rising; `window` is how many of the characters read last are
    remembered, a power of two. With `learns_drawn`, characters that the lane draws are learned as those that
    it is given; without, they are only context.
    """

    orders: tuple[int, ...] = (2, 3, 4, 6)
    window: int = 32_768
    learns_drawn: bool = False

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.orders, self.orders[1:], strict=False))
        if not (1 <= len(self.orders) <= NUM_ORDERS and rising):
            raise ValueError(f"orders are {self.orders}: give 1 to {NUM_ORDERS} rising numbers")
        if not (self.orders[0] >= 1 and self.orders[-1] <= MAX_ORDER):
            raise ValueError(f"orders are {self.orders}: give numbers from 1 to {MAX_ORDER}")
        if not MIN_WINDOW <= self.window <= MAX_WINDOW or self.window & (self.window - 1):
            raise ValueError(
                f"window is {self.window}: give a power of two from {MIN_WINDOW} to {MAX_WINDOW}"
            )

    def window_start(self, position: int) -> int:
        """Returns the first position that is remembered after `position` characters.

        It moves in blocks, at places that the position alone decides: the text that a lane remembers does not
        depend on how it was cut into requests.
        """
        block = self.window // WINDOW_BLOCKS
        return 0 if position < self.window else ((position - self.window) // block + 1) * block

    def next_move(self, position: int) -> int:
        """Returns the first position after `position` at which the window moves."""
        return self.window_start(position) + self.window
