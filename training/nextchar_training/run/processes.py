"""The processes that train one network together: each has its share of every batch's columns.

`torchrun` starts them and says in the environment who they are; a process by itself is a team of one.
Gradients are averaged by DistributedDataParallel. What else must be agreed on goes through here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Team:
    """This process is number `rank` of `size`; number 0 leads: it decides, evaluates and writes."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def columns(self, num_columns: int) -> slice:
        """This process's share of a batch; one column to go through the motions with where it is idle."""
        if self.idle(num_columns):
            return slice(0, 1)
        return slice(num_columns * self.rank // self.size, num_columns * (self.rank + 1) // self.size)

    def idle(self, num_columns: int) -> bool:
        """Whether there are too few columns for this process to have one."""
        return num_columns * self.rank // self.size == num_columns * (self.rank + 1) // self.size

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over the team after each backward pass."""
        return module if self.size == 1 else DistributedDataParallel(module)

    def total(self, value: Tensor) -> Tensor:
        """The sum of a number over the team."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def decision(self, value: float) -> float:
        """The leader's value, for everybody."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(shared, src=0)
        return shared.item()

    def whole(self, part: Tensor, num_columns: int) -> Tensor:
        """All columns [layers, num_columns, features] of which each process has its share."""
        if self.size == 1:
            return part
        filled = torch.zeros(part.shape[0], num_columns, part.shape[2], device=part.device)
        filled[:, self.columns(num_columns)] = part
        distributed.all_reduce(filled)
        return filled


@contextmanager
def joined_team(device: str) -> Iterator[Team]:
    """The team that the environment speaks of, for as long as the block runs."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Team(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
