#!/usr/bin/env python3
"""suites: complains about meson tests that no suite of ours would run.

    suites.py BUILD SUITE...
"""

import json
import os
import sys


def main(args):
    """Runs; returns the exit status."""
    build, known = args[0], set(args[1:])
    path = os.path.join(build, 'meson-info', 'intro-tests.json')
    with open(path, encoding='utf-8') as file:
        tests = json.load(file)
    strays = [test['name'] for test in tests
              if not known & {name.split(':')[-1] for name in test['suite']}]
    for name in strays:
        print(f'{name}: in none of the suites {" ".join(sorted(known))}')
    return 1 if strays or not tests else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
