#!/usr/bin/env python3
"""junit: counts the test cases of a report that meson wrote.

    junit.py REPORT      prints PASSED FAILED SKIPPED

A test that came to no case of its own, because it crashed or ran out of
time, is one failed case.
"""

import sys
import xml.etree.ElementTree


def outcome(case):
    """'passed', 'failed' or 'skipped', of one <testcase>."""
    if case.find('failure') is not None or case.find('error') is not None:
        return 'failed'
    if case.find('skipped') is not None:
        return 'skipped'
    return 'passed'


def count(root):
    """The number of cases of each outcome in a whole report."""
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    for suite in root.iter('testsuite'):
        cases = suite.findall('testcase')
        before = counts['failed']
        for case in cases:
            counts[outcome(case)] += 1
        broken = int(suite.get('errors', 0)) + int(suite.get('failures', 0))
        if not cases or (broken and counts['failed'] == before):
            counts['failed'] += 1
    return counts


def main(args):
    """Runs; returns the exit status."""
    try:
        root = xml.etree.ElementTree.parse(args[0]).getroot()
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f'{args[0]}: {error}', file=sys.stderr)
        return 1
    counts = count(root)
    print(counts['passed'], counts['failed'], counts['skipped'])
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
