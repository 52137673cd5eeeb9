#!/usr/bin/env python3
"""layers: includes point down only.

Reads every #include under fs/ and include/ and complains about each that a
layer must not have:

    include/zkfs   itself and libc
    base           include/zkfs, itself, libc
    core           base and below; nothing of libc that does I/O
    zk             core and below, <zookeeper/...>, <openssl/...>
    ops            zk and below, <fuse...>
    daemon         ops and below, <fuse...>
    tools          base, include/zkfs, libc: programs beside the mount

    layers.py [TREE]      exit status 1 and a line for each complaint
    layers.py --self-test the rules against small bad trees, as TAP
"""

import os
import re
import sys
import tempfile

# Each layer with those it may include besides itself.
BELOW = {
    'include/zkfs': [],
    'fs/base': ['include/zkfs'],
    'fs/core': ['include/zkfs', 'fs/base'],
    'fs/zk': ['include/zkfs', 'fs/base', 'fs/core'],
    'fs/ops': ['include/zkfs', 'fs/base', 'fs/core', 'fs/zk'],
    'fs/daemon': ['include/zkfs', 'fs/base', 'fs/core', 'fs/zk', 'fs/ops'],
    'fs/tools': ['include/zkfs', 'fs/base'],
}

# Headers of libraries, and the layers that may see them.
LIBRARIES = [
    (re.compile(r'zookeeper/'), ['fs/zk']),
    (re.compile(r'openssl/'), ['fs/zk']),
    (re.compile(r'(fuse3?/|fuse(_\w+)?\.h$)'), ['fs/ops', 'fs/daemon']),
]

# glibc's own. A header that is in neither list is a new dependency, and
# somebody has to say so here.
LIBC = set('''
    assert.h complex.h ctype.h dirent.h dlfcn.h endian.h err.h errno.h
    execinfo.h fcntl.h fenv.h float.h getopt.h glob.h grp.h inttypes.h
    langinfo.h libgen.h limits.h locale.h math.h mntent.h netdb.h paths.h
    poll.h pthread.h pwd.h sched.h search.h semaphore.h setjmp.h signal.h spawn.h
    stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h
    stdio_ext.h stdlib.h stdnoreturn.h string.h strings.h sysexits.h syslog.h
    threads.h time.h uchar.h unistd.h utime.h wchar.h wctype.h
'''.split())
LIBC_FOLDERS = ('sys/', 'linux/', 'net/', 'netinet/', 'arpa/')

# The core is told what happened and asked what is next.
CORE_IO = set('''
    dirent.h fcntl.h netdb.h poll.h pthread.h semaphore.h signal.h spawn.h
    syslog.h threads.h unistd.h
    sys/epoll.h sys/eventfd.h sys/inotify.h sys/ioctl.h sys/mman.h
    sys/mount.h sys/select.h sys/sendfile.h sys/signalfd.h sys/socket.h
    sys/statfs.h sys/statvfs.h sys/syscall.h sys/timerfd.h sys/uio.h
    sys/un.h sys/wait.h sys/xattr.h
'''.split())

DIRECTIVE = re.compile(r'^\s*#\s*(include\w*|import)\b\s*(.*)')
TARGET = re.compile(r'(?:"([^"]+)"|<([^>]+)>)\s*(?:/\*.*)?$')


def layer_of(path):
    """The layer that a path from the top belongs to, or None."""
    for layer in BELOW:
        if path.startswith(layer + '/'):
            return layer
    return None


def check_ours(top, layer, target):
    """Words against an include of one of our own headers, or None."""
    there = layer_of(target)
    if there is None or os.path.normpath(target) != target:
        return 'is not a path from the top of the tree'
    if not os.path.isfile(os.path.join(top, target)):
        return 'does not exist'
    if there != layer and there not in BELOW[layer]:
        return f'{layer} may not include {there}'
    return None


def check_system(layer, target):
    """Words against an include of a system header, or None."""
    for pattern, layers in LIBRARIES:
        if pattern.match(target):
            return None if layer in layers else f'not in {layer}'
    if target not in LIBC and not target.startswith(LIBC_FOLDERS):
        return 'is not known to belong to libc'
    if layer == 'fs/core' and target in CORE_IO:
        return 'the core does no I/O'
    return None


def check_file(top, path):
    """Yields the complaints about one file."""
    layer = layer_of(path)
    if layer is None:
        yield f'{path}: is in no layer'
        return
    with open(os.path.join(top, path), encoding='utf-8') as file:
        text = file.read()
    # A directive may be broken over lines; their number stays.
    text = re.sub(r'\\\n(.*)', r' \1\n', text)
    for number, line in enumerate(text.split('\n'), 1):
        directive = DIRECTIVE.match(line)
        if not directive:
            continue
        target = TARGET.match(directive[2])
        if directive[1] != 'include' or not target:
            words = 'is not a plain #include'
        elif target[1]:
            words = check_ours(top, layer, target[1])
        else:
            words = check_system(layer, target[2])
        if words:
            yield f'{path}:{number}: {line.strip()}: {words}'


def sources(top):
    """Yields the paths of all C files of the layers, from the top."""
    for root in ('fs', 'include'):
        for folder, _, names in os.walk(os.path.join(top, root)):
            for name in sorted(names):
                if name.endswith(('.c', '.h')):
                    yield os.path.relpath(os.path.join(folder, name), top)


def check_tree(top):
    """All complaints about a tree, and the number of files looked at."""
    complaints = []
    n_files = 0
    for path in sources(top):
        n_files += 1
        complaints.extend(check_file(top, path))
    return complaints, n_files


# A tree without fault, and files that each add one fault to it.
GOOD = {
    'include/zkfs/path.h': '#include <stddef.h>\n#include "include/zkfs/a.h"',
    'include/zkfs/a.h': '',
    'fs/base/util.h': '#include <unistd.h>\n#include <sys/stat.h>',
    'fs/base/path.c': '#include "include/zkfs/path.h"',
    'fs/core/tree.h': '#include "fs/base/util.h"\n#include <string.h>',
    'fs/zk/session.h': '#include "fs/core/tree.h" /* why */',
    'fs/zk/session.c': '#include <zookeeper/zookeeper.h>',
    'fs/ops/reply.h': '#include <fuse_lowlevel.h>\n'
                      '#include "fs/zk/session.h"',
    'fs/ops/file.c': '#include <fuse3/fuse.h>\n'
                     '/* no #include "fs/daemon/loop.h" */',
    'fs/daemon/loop.h': '#  include "fs/ops/reply.h"',
    'fs/daemon/main.c': '#include <fuse_lowlevel.h>\n'
                        '#include "fs/base/util.h"',
    'fs/tools/update.c': '#include "fs/base/util.h"',
}
BAD = {
    'base includes core': ('fs/base/x.c', '#include "fs/core/tree.h"'),
    'core includes zk': ('fs/core/x.c', '#include "fs/zk/session.h"'),
    'zk includes ops': ('fs/zk/x.h', '#include "fs/ops/reply.h"'),
    'ops includes daemon': ('fs/ops/x.c', '#include "fs/daemon/loop.h"'),
    'base includes daemon': ('fs/base/x.h', '#include "fs/daemon/loop.h"'),
    'tools include core': ('fs/tools/x.c', '#include "fs/core/tree.h"'),
    'daemon includes tools': ('fs/daemon/x.c',
                              '#include "fs/tools/update.c"'),
    'public includes base': ('include/zkfs/x.h',
                             '#include "fs/base/util.h"'),
    'public sees fuse': ('include/zkfs/x.h', '#include <fuse_lowlevel.h>'),
    'public sees zookeeper': ('include/zkfs/x.h',
                              '#include <zookeeper/zookeeper.h>'),
    'core sees zookeeper': ('fs/core/x.c',
                            '#include <zookeeper/zookeeper.h>'),
    'daemon sees openssl': ('fs/daemon/x.c', '#include <openssl/ssl.h>'),
    'ops sees zookeeper': ('fs/ops/x.c', '#include <zookeeper/proto.h>'),
    'daemon sees zookeeper': ('fs/daemon/x.c',
                              '#include <zookeeper/zookeeper.h>'),
    'zk sees fuse': ('fs/zk/x.c', '#include <fuse_lowlevel.h>'),
    'base sees fuse': ('fs/base/x.c', '#include <fuse3/fuse_lowlevel.h>'),
    'tools see fuse': ('fs/tools/x.c', '#include <fuse.h>'),
    'core does I/O': ('fs/core/x.c', '#include <unistd.h>'),
    'core polls': ('fs/core/x.c', '#include <sys/epoll.h>'),
    'new library': ('fs/base/x.c', '#include <glib.h>'),
    'new library folder': ('fs/ops/x.c', '#include <openssl/ssl.h>'),
    'relative': ('fs/base/x.c', '#include "util.h"'),
    'dots': ('fs/base/x.c', '#include "fs/base/../core/tree.h"'),
    'missing header': ('fs/base/x.c', '#include "fs/base/none.h"'),
    'spaced': ('fs/base/x.c', '  #  include  "fs/core/tree.h"'),
    'broken over lines': ('fs/base/x.c', '#include \\\n"fs/core/tree.h"'),
    'by a macro': ('fs/base/x.c', '#include HEADER'),
    'include_next': ('fs/base/x.c', '#include_next <stdio.h>'),
    'new layer': ('fs/extra/x.c', ''),
}


def complaints_of(files):
    """The complaints about a tree of these files."""
    with tempfile.TemporaryDirectory() as top:
        for path, text in files.items():
            where = os.path.join(top, path)
            os.makedirs(os.path.dirname(where), exist_ok=True)
            with open(where, 'w', encoding='utf-8') as file:
                file.write(text + '\n')
        return check_tree(top)[0]


def self_test():
    """Each bad file must draw one complaint, which names it."""
    cases = [('a good tree', GOOD, None)]
    for name, (path, text) in BAD.items():
        cases.append((name, {**GOOD, path: text}, path))
    print(f'1..{len(cases)}')
    failed = False
    for number, (name, files, path) in enumerate(cases, 1):
        got = complaints_of(files)
        if path is None:
            passed = not got
        else:
            passed = len(got) == 1 and got[0].startswith(path + ':')
        failed |= not passed
        print(f'{"ok" if passed else "not ok"} {number} - {name}')
        if not passed:
            print(f'# complaints: {got}')
    return 1 if failed else 0


def main(args):
    """Runs; returns the exit status."""
    if args == ['--self-test']:
        return self_test()
    if len(args) > 1 or any(arg.startswith('-') for arg in args):
        print(__doc__, file=sys.stderr)
        return 2
    here = os.path.dirname(os.path.abspath(__file__))
    top = args[0] if args else os.path.dirname(here)
    complaints, n_files = check_tree(top)
    for complaint in complaints:
        print(complaint)
    if n_files == 0:
        print(f'{top}: there is nothing to look at')
    return 1 if complaints or n_files == 0 else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
