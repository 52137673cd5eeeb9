#!/usr/bin/env python3
"""prometheus: reads the text format of Prometheus, version 0.0.4, and forgives
nothing (prometheus.io/docs/instrumenting/exposition_formats).

    prometheus.py check FILE           exit status 1 and the line that is wrong
    prometheus.py get FILE SERIES      its value, SERIES as the file has it
    prometheus.py later FILE FILE      the second was read after the first:
                                       no counter is gone or less
"""

import math
import re
import sys

NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
COMMENT = re.compile(r'# (HELP|TYPE) (%s) (.+)' % NAME)
SAMPLE = re.compile(r'(%s)(?:\{(%s(?:,%s)*)\})? (\S+)' % (NAME, LABEL, LABEL))
NUMBER = re.compile(r'[0-9]+(\.[0-9]+)?')
TYPES = ('counter', 'gauge', 'histogram')
# Of a metric that is a time or a size, by its last word before _total.
UNITS = ('seconds', 'bytes')
NOT_UNITS = ('ms', 'milliseconds', 'us', 'microseconds', 'kib', 'mib')


class Wrong(Exception):
    pass


class Page:
    """All of a page: .series maps a series' text to its value, .types each
    family to its type."""

    def __init__(self, text):
        self.types = {}
        self.series = {}
        self.order = {}
        self.helped = set()
        self.family = None
        if not text.endswith('\n'):
            raise Wrong('the last line has no end')
        for number, line in enumerate(text[:-1].split('\n'), 1):
            try:
                self.take(line)
            except Wrong as wrong:
                raise Wrong('line %d: %s: %s' % (number, wrong, line))
        self.check_histograms()

    def take(self, line):
        comment = COMMENT.fullmatch(line)
        if comment:
            self.take_comment(*comment.groups())
            return
        sample = SAMPLE.fullmatch(line)
        if not sample:
            raise Wrong('neither a comment nor a sample')
        labels = re.findall(LABEL, sample[2] or '')
        self.take_sample(line, sample[1], labels, sample[sample.lastindex])

    def take_comment(self, what, name, rest):
        if what == 'HELP':
            if name in self.helped:
                raise Wrong('the family is here twice')
            self.helped.add(name)
            self.family = name
            return
        if name != self.family or name in self.types:
            raise Wrong('a TYPE that does not follow its HELP')
        if rest not in TYPES:
            raise Wrong('no type')
        self.check_name(name, rest)
        self.types[name] = rest

    @staticmethod
    def check_name(name, kind):
        if (kind == 'counter') != name.endswith('_total'):
            raise Wrong('counters end in _total, and they alone')
        if not name.startswith('zkfs_'):
            raise Wrong('not of this program')
        if any(word in NOT_UNITS for word in name.split('_')):
            raise Wrong('not in base units')
        if kind == 'histogram' and name.split('_')[-1] not in UNITS:
            raise Wrong('a histogram of what')

    def take_sample(self, line, name, labels, value):
        kind = self.types.get(self.family)
        if not kind:
            raise Wrong('a sample before its TYPE')
        suffix = name[len(self.family):]
        allowed = [''] if kind != 'histogram' else ['_bucket', '_sum', '_count']
        if not name.startswith(self.family) or suffix not in allowed:
            raise Wrong('a sample of another family')
        names = [label for label, _ in labels]
        if len(set(names)) != len(names):
            raise Wrong('a label twice')
        if ('le' in names) != (suffix == '_bucket'):
            raise Wrong('le belongs to buckets')
        if not NUMBER.fullmatch(value):
            raise Wrong('no number')
        series = line[:line.rindex(' ')]
        if series in self.series:
            raise Wrong('a series twice')
        self.series[series] = float(value)
        self.order.setdefault(self.family, []).append(
            (suffix, dict(labels), float(value)))

    def check_histograms(self):
        for family, kind in self.types.items():
            if kind == 'histogram':
                self.check_histogram(family)

    def check_histogram(self, family):
        sets = {}
        for suffix, labels, value in self.order[family]:
            le = labels.pop('le', None)
            key = tuple(sorted(labels.items()))
            sets.setdefault(key, []).append((suffix, le, value))
        for key, rows in sets.items():
            where = '%s%r' % (family, key)
            buckets = [(float(le), value)
                       for suffix, le, value in rows if suffix == '_bucket']
            others = {suffix: value for suffix, le, value in rows if not le}
            if sorted(others) != ['_count', '_sum']:
                raise Wrong(where + ': no sum or no count')
            if not buckets or buckets[-1][0] != math.inf:
                raise Wrong(where + ': no last bucket')
            if buckets != sorted(set(buckets)) or any(
                    a[0] == b[0] or a[1] > b[1]
                    for a, b in zip(buckets, buckets[1:])):
                raise Wrong(where + ': buckets do not grow')
            if buckets[-1][1] != others['_count']:
                raise Wrong(where + ': the count is not that of the buckets')
            if others['_sum'] > 0 and others['_count'] == 0:
                raise Wrong(where + ': a sum of nothing')


def read(path):
    with open(path, encoding='utf-8', newline='\n') as file:
        return Page(file.read())


def is_counter(page, series):
    name = series.split('{')[0]
    for family, kind in page.types.items():
        if kind == 'counter' and name == family:
            return True
        if kind == 'histogram' and re.fullmatch(
                family + '_(bucket|sum|count)', name):
            return True
    return False


def check_later(first, second):
    for series, value in first.series.items():
        if not is_counter(first, series):
            continue
        if series not in second.series:
            raise Wrong('is gone: ' + series)
        if second.series[series] < value:
            raise Wrong('has become less: ' + series)


def main(command, *arguments):
    try:
        if command == 'check':
            read(*arguments)
        elif command == 'get':
            value = read(arguments[0]).series.get(arguments[1])
            if value is None:
                raise Wrong('is not there: ' + arguments[1])
            print('%.15g' % value)
        elif command == 'later':
            check_later(read(arguments[0]), read(arguments[1]))
        else:
            sys.exit(__doc__)
    except Wrong as wrong:
        sys.exit('%s: %s' % (arguments[0], wrong))


if __name__ == '__main__':
    main(*sys.argv[1:])
