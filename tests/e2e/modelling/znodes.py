"""znodes: the little name space, and what one state of a znode looks like.

All paths there may be are known beforehand (PATHS): few and short, so that
everybody meets at them again and again. A state is what the server says of a
znode; the rest is derived from it by the rules that the mount promises.
"""
import collections

NAMES = "ab"
DEPTH = 3


def below(path, depth):
    """All paths that are at most so many levels below."""
    if depth == 0:
        return []
    found = []
    for name in NAMES:
        child = path + "/" + name
        found += [child] + below(child, depth - 1)
    return found


ROOT = ""
PATHS = below(ROOT, DEPTH)  # parents before children
DATA_NAME = ".data"

Znode = collections.namedtuple(
    "Znode", "czxid mzxid version cversion mtime owner data names")


def parent_of(path):
    return path.rpartition("/")[0]


def ancestors_of(path):
    """From the top, without the root."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[:i + 1]) for i in range(len(parts))]


def subtree_of(tree, path):
    """The paths in the tree that are `path` or below, parents first."""
    return sorted(p for p in tree if p == path or p.startswith(path + "/"))


def has_children(tree, path):
    return any(parent_of(other) == path for other in tree)


def is_near(one, other):
    """Whether one is the other, or above it."""
    return one == other or one.startswith(other + "/") or \
        other.startswith(one + "/")


def is_dir(znode):
    """The type rule: DESIGN, "Files and directories"."""
    if znode.names:
        return True
    return znode.owner == 0 and not znode.data and znode.version == 0


def time_of(znode, as_dir):
    """st_mtime in nanoseconds."""
    counter = znode.cversion if as_dir else znode.version
    return znode.mtime * 1000000 + counter % 1000000


def listing_of(znode):
    return znode.names | ({DATA_NAME} if znode.data else frozenset())
