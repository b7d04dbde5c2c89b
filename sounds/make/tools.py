"""Finds what sounds/set-up installs, or says that it should be run."""

import importlib.util
import os
import shutil
import sys

from .lists import HERE

VENV = os.path.join(os.path.dirname(HERE), "target/sounds/venv/bin/python")


def with_packages(*modules):
    """Goes on in the Python that set-up has made when this one lacks the modules."""
    missing = [module for module in modules if not importlib.util.find_spec(module)]
    if not missing:
        return
    if os.path.exists(VENV) and "TSUNAGU_SOUNDS" not in os.environ:
        os.execve(VENV, [VENV, *sys.argv], {**os.environ, "TSUNAGU_SOUNDS": "venv"})
    raise SystemExit(f"Missing of Python: {', '.join(missing)}. Run sounds/set-up to install what is needed.")


def need(*tools):
    """Ends the program when programs or files are missing."""
    missing = [tool for tool in tools if not (shutil.which(tool) or os.path.exists(tool))]
    if missing:
        raise SystemExit(f"Missing: {', '.join(missing)}. Run sounds/set-up to install what is needed.")
