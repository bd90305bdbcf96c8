"""``python -m shiftproof``: the program that this package carries."""

import os
import subprocess
import sys
import sysconfig


def program() -> str:
    """The path of the program: where this interpreter's scripts are, or the user's."""
    name = "shiftproof" + (sysconfig.get_config_var("EXE") or "")
    schemes = [None, sysconfig.get_preferred_scheme("user")] if hasattr(
        sysconfig, "get_preferred_scheme"
    ) else [None]
    for scheme in schemes:
        folder = sysconfig.get_path("scripts", scheme) if scheme else sysconfig.get_path("scripts")
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"{name} is not beside this Python: install the package again")


def main() -> int:
    command = [program(), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.call(command)
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
