"""Joins the processes that train one network together; each reads its share of every batch's columns.

`torchrun` starts them and numbers them in the environment; a process by itself is a group of one.
DistributedDataParallel averages gradients; everything else that processes must agree on is shared here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """A group of `size` processes, of which this one is `rank`; rank 0 decides, evaluates and writes.

    `device` is this process's own: what is shared must lie there, because NCCL shares nothing else.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def is_leader(self) -> bool:
        """Whether this process has rank 0."""
        return self.rank == 0

    def columns(self, num_columns: int) -> slice:
        """Returns this process's columns of a batch; an idle process gets one, to keep in step."""
        if self.is_idle(num_columns):
            return slice(0, 1)
        return slice(num_columns * self.rank // self.size, num_columns * (self.rank + 1) // self.size)

    def is_idle(self, num_columns: int) -> bool:
        """Returns whether there are too few columns for this process to have one."""
        return num_columns * self.rank // self.size == num_columns * (self.rank + 1) // self.size

    def wrap(self, module: nn.Module) -> nn.Module:
        """Returns the module with gradients averaged over the group after each backward pass."""
        return module if self.size == 1 else DistributedDataParallel(module)

    def sum(self, value: Tensor) -> Tensor:
        """Returns the sum of a number over the group."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def broadcast(self, value: float) -> float:
        """Returns the leader's value in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, src=0)
        return shared.item()

    def gather(self, part: Tensor, num_columns: int) -> Tensor:
        """Returns all columns [layers, num_columns, features], of which each process passes its share."""
        if self.size == 1:
            return part
        filled = torch.zeros(part.shape[0], num_columns, part.shape[2], device=part.device)
        filled[:, self.columns(num_columns)] = part
        distributed.all_reduce(filled)
        return filled


@contextmanager
def joined_group(device: str) -> Iterator[ProcessGroup]:
    """Joins the group that the environment describes; leaves it when the block ends."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup()
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), size, device)
    finally:
        distributed.destroy_process_group()
