"""The program without root's rights: as_nobody.py WORD...

Two runs that fail come first and load what the next one needs, as does the loop over the modules,
because Python itself and this package may lie in a folder of root's.
"""

import encodings.utf_8_sig  # noqa: F401 - found by name, when a key is read
import importlib
import os
import pkgutil

import keyring

import nscale_cli
from nscale_cli import __main__, main
from nscale_cli.terminal.context import Environment
from nscale_cli.terminal.streams import Terminal

NOBODY = 65534

if __name__ == "__main__":
    silent = Terminal(stdin=None, stdout=None, stderr=None, env={})
    main.run(["images", "generate", "x", "-z", "x"], Environment(terminal=silent))
    nowhere = ["--base-url", "http://127.0.0.1:9/v1", "-a", "no-key-at-all"]
    main.run(["models", "list", *nowhere], Environment(terminal=silent))
    keyring.get_keyring()
    for module in pkgutil.walk_packages(nscale_cli.__path__, "nscale_cli."):
        importlib.import_module(module.name)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    __main__.run()
