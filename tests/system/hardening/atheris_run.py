"""One target under atheris, in atheris's environment: python -m hardening.atheris_run TARGET ARGUMENTS…"""

import sys

import atheris

with atheris.instrument_imports(include=["nextchar"]):
    from hardening.fuzz_targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()
