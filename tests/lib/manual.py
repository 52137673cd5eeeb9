#!/usr/bin/env python3
"""manual: holds zkfs(8) and --help against the program, both ways.

    manual.py ZKFS

Prints what is missing or too much, a line each. Options are asked of the
program (--dump-config), errnos are looked for in the sources of what answers
requests.
"""

import glob
import re
import subprocess
import sys

PAGE = 'packaging/man/zkfs.8'
# What the kernel answers by itself, for a mount as ours.
KERNEL = {'ECONNABORTED', 'ENOTCONN', 'EROFS'}
# The same number.
SAME = {'EWOULDBLOCK': 'EAGAIN'}


def config(zkfs):
    """What --dump-config says."""
    out = subprocess.run([zkfs, '--dump-config'], check=True,
                         capture_output=True, text=True).stdout
    return dict(line.split('=', 1) for line in out.splitlines())


def items(page, begin, end):
    """The tagged items of a part of a page: {tag line: text}."""
    found = {}
    tag = None
    for line in page[page.index(begin):page.index(end)].splitlines():
        if line.startswith('.It '):
            tag = line[4:]
            found[tag] = ''
        elif tag is not None:
            found[tag] += line + '\n'
    return found


def manual_options(page):
    """{option: what the manual says of it}."""
    options = {}
    for tag, text in items(page, '.It Fl o Ar options\n',
                           '.Ss Files and directories').items():
        for name in re.findall(r'(?:^|, )Cm (\w+)', tag):
            options[name] = text
    return options


def help_options(zkfs):
    """{option: what --help says of it}, and which are numbers of bytes."""
    out = subprocess.run([zkfs, '--help'], check=True, capture_output=True,
                         text=True).stdout
    out = out[out.index('Mount options'):]
    options = {}
    sizes = set(re.findall(r'^  (\w+)=BYTES', out, re.M))
    name = None
    for line in out.splitlines():
        begin = re.match(r'  (\w+)(=\S+)?\s+(.*)', line)
        if begin:
            name = begin.group(1)
            options[name] = begin.group(3)
        elif name and line.startswith('   '):
            options[name] += ' ' + line.strip()
        else:
            name = None
    return options, sizes


def is_opposite(name, others):
    """Whether the option only takes back another, as rw does ro."""
    pairs = {'rw': 'ro', 'async': 'sync', 'exec': 'noexec',
             'soft': 'hard'}
    return pairs.get(name, name[2:] if name.startswith('no') else '') in others


def people_say(value, in_bytes):
    """How a default is written for people: 67108864 bytes are 64M."""
    if not in_bytes:
        return value
    for shift, unit in ((30, 'G'), (20, 'M'), (10, 'K')):
        if int(value) % (1 << shift) == 0:
            return f'{int(value) >> shift}{unit}'
    return value


def check_options(page, zkfs):
    """Yields what is wrong with the options."""
    facts = config(zkfs)
    real = {name.rstrip('=') for name in facts['options'].split()}
    manual, (short, sizes) = manual_options(page), help_options(zkfs)
    for where, found in ((PAGE, set(manual)), ('--help', set(short))):
        for name in sorted(found - real):
            yield f'{where}: there is no option {name}'
        for name in sorted(real - found):
            if where == PAGE or not is_opposite(name, found):
                yield f'{where}: option {name} is missing'
    for key, value in facts.items():
        name = key.removeprefix('default_')
        # What follows from another option is said in words.
        if name == key or name in ('timeo', 'inotify'):
            continue
        said = people_say(value, name in sizes)
        for where, texts in ((PAGE, manual), ('--help', short)):
            if name not in texts or not re.search(
                    r'(?<!\w)' + re.escape(said) + r'(?!\w)', texts[name]):
                yield f'{where}: {name}: the default is {said}'


def code_errnos():
    """The errnos that requests are answered with: {errno: where}."""
    with open('include/zkfs/error.h', encoding='utf-8') as file:
        table = re.findall(r'X\(\w+, -?\d+, (E\w+),', file.read())
    found = {name: 'include/zkfs/error.h' for name in table}
    with open('fs/core/limits.h', encoding='utf-8') as file:
        for name in re.findall(r'X\(\w+, "\w+", \w+,\s*[^,]+,\s*(E\w+),',
                               file.read()):
            found.setdefault(name, 'fs/core/limits.h')
    for path in sorted(glob.glob('fs/ops/*.c') + glob.glob('fs/core/*.c')):
        with open(path, encoding='utf-8') as file:
            text = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.S)
        for name in re.findall(r'-(E[A-Z0-9]+)\b', text):
            found.setdefault(SAME.get(name, name), path)
    return found


def check_errnos(page):
    """Yields what is wrong with the errnos."""
    section = page[page.index('\n.Sh ERRORS'):]
    section = section[:section.index('\n.Sh ', 5)]
    manual = {name for line in re.findall(r'^\.It Er (.*)', section, re.M)
              for name in line.replace(',', ' ').split()}
    code = code_errnos()
    for name in sorted(set(code) - manual):
        yield f'{PAGE}: ERRORS: {name} is missing ({code[name]})'
    for name in sorted(manual - set(code) - KERNEL):
        yield f'{PAGE}: ERRORS: nothing answers {name}'


def main(args):
    """Runs; returns the exit status."""
    with open(PAGE, encoding='utf-8') as file:
        page = file.read()
    wrong = list(check_options(page, args[0])) + list(check_errnos(page))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
