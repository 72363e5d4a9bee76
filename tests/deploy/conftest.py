"""What the tests of the chart share."""

from helm_program import ci_file

__all__ = ["ci_file"]
