"""changes: the model. What each change comes to, the errno or the tree that is
there after it.

A tree here is {path: Node}: only what a change decides. `strictly` answers what
a mount that knows the newest tree answers; `loosely` what was done if it says
that it has done it, while it knew an older one.
"""
import collections
import errno

from modelling.znodes import (ROOT, ancestors_of, has_children, is_near,
                              parent_of, subtree_of)

# `written`: its version is above 0. `was`: the path it has its identity from,
# in the tree before; None: it is new.
Node = collections.namedtuple("Node", "data written owner was")
# By way of a mount: mkdir create write append truncate unlink rmdir rename
# write_data unlink_data. By the client: zk_create zk_ephemeral zk_set zk_delete
# zk_recreate.
Change = collections.namedtuple("Change", "kind path other data")


class Fails(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


def nodes_of(tree):
    return {path: Node(z.data, z.version > 0, z.owner, path)
            for path, z in tree.items()}


def is_dir(tree, path):
    if path == ROOT or has_children(tree, path):
        return True
    node = tree[path]
    return node.owner == 0 and not node.data and not node.written


def walk(tree, path):
    """The way there."""
    for above in ancestors_of(path):
        if above not in tree:
            raise Fails(errno.ENOENT)
        if not is_dir(tree, above):
            raise Fails(errno.ENOTDIR)


def must_be(tree, path, want_dir):
    if path not in tree:
        raise Fails(errno.ENOENT)
    if is_dir(tree, path) != want_dir:
        raise Fails(errno.ENOTDIR if want_dir else errno.EISDIR)


# -- what a mount answers that knows the newest tree --

def check_new(tree, change):
    if change.path in tree:
        raise Fails(errno.EEXIST)


def check_file_if_any(tree, change):
    if change.path in tree:
        must_be(tree, change.path, False)


def check_file(tree, change):
    must_be(tree, change.path, False)


def check_rmdir(tree, change):
    must_be(tree, change.path, True)
    if has_children(tree, change.path):
        raise Fails(errno.ENOTEMPTY)


def check_dir(tree, change):
    must_be(tree, change.path, True)


def check_rename(tree, change):
    """In the order of the kernel's do_renameat2() and vfs_rename()."""
    old, new = change.path, change.other
    walk(tree, new)
    if old not in tree:
        raise Fails(errno.ENOENT)
    if new.startswith(old + "/"):
        raise Fails(errno.EINVAL)
    if old.startswith(new + "/"):
        raise Fails(errno.ENOTEMPTY)
    if old == new:
        return
    if new in tree and is_dir(tree, old) != is_dir(tree, new):
        raise Fails(errno.ENOTDIR if is_dir(tree, old) else errno.EISDIR)
    if any(tree[path].owner for path in subtree_of(tree, old)) or \
            new in tree and tree[new].owner:
        raise Fails(errno.EPERM)
    if has_children(tree, new):
        raise Fails(errno.ENOTEMPTY)


CHECKS = {
    "mkdir": check_new, "create": check_new, "write": check_file_if_any,
    "append": check_file, "truncate": check_file, "unlink": check_file,
    "rmdir": check_rmdir, "rename": check_rename, "write_data": check_dir,
    "unlink_data": check_dir,
}


# -- what is done --

def set_data(tree, path, data):
    if path not in tree:
        raise Fails(errno.ENOENT)
    tree[path] = tree[path]._replace(data=data, written=True)


def add(tree, path, data, written, owner=0):
    if path in tree:
        raise Fails(errno.EEXIST)
    above = parent_of(path)
    if above != ROOT and above not in tree:
        raise Fails(errno.ENOENT)
    if above != ROOT and tree[above].owner:
        raise Fails(errno.ENOTDIR)
    tree[path] = Node(data, written, owner, None)


def remove(tree, path):
    if path not in tree:
        raise Fails(errno.ENOENT)
    if has_children(tree, path):
        raise Fails(errno.ENOTEMPTY)
    del tree[path]


def write(tree, path, data):
    if path in tree:
        set_data(tree, path, data)
    else:
        add(tree, path, data, True)


def append(tree, path, data):
    if path in tree:
        data = tree[path].data + data
    set_data(tree, path, data)


def truncate(tree, path, size):
    if path in tree:
        set_data(tree, path, tree[path].data[:size].ljust(size, b"\0"))
    else:
        raise Fails(errno.ENOENT)


def rename(tree, old, new):
    if old == new:
        return
    if old not in tree:
        raise Fails(errno.ENOENT)
    was_file = not is_dir(tree, old)
    moved = [(new + path[len(old):], tree.pop(path)._replace(was=None))
             for path in subtree_of(dict(tree), old)]
    if was_file and new in tree:
        # Who watches the target sees one change, and never that it is gone.
        set_data(tree, new, moved[0][1].data)
        return
    if new in tree:
        remove(tree, new)
    for path, node in moved:
        add(tree, path, node.data, node.written or was_file)


def effect(tree, change):
    path = change.path
    kind = change.kind.removeprefix("zk_")
    if kind == "mkdir":
        add(tree, path, b"", False)
    elif kind == "create" and kind == change.kind:
        add(tree, path, b"", True)
    elif kind == "create":
        add(tree, path, change.data, False)
    elif kind == "ephemeral":
        add(tree, path, change.data, False, owner=1)
    elif kind == "write":
        write(tree, path, change.data)
    elif kind in ("set", "write_data", "unlink_data"):
        set_data(tree, path, change.data or b"")
    elif kind == "append":
        append(tree, path, change.data)
    elif kind == "truncate":
        truncate(tree, path, change.data)
    elif kind in ("unlink", "rmdir", "delete"):
        remove(tree, path)
    elif kind == "recreate":
        remove(tree, path)
        add(tree, path, change.data, False)
    else:
        rename(tree, path, change.other)
    return tree


def loosely(tree, change):
    """The tree after it, or Fails."""
    return effect(dict(tree), change)


def strictly(tree, change):
    walk(tree, change.path)
    CHECKS[change.kind](tree, change)
    return loosely(tree, change)


def touched(change):
    return [change.path] + ([change.other] if change.other else [])


def concerns(change, path):
    return any(is_near(path, other) for other in touched(change))


def differences(expected, before, after):
    """Between the tree that a change should make of `before` and the one that
    the server has: words."""
    found = []
    for path in sorted(set(expected) | set(after)):
        node, znode = expected.get(path), after.get(path)
        if node is None or znode is None:
            found.append("%s is %s" % (path, "there" if znode else "missing"))
            continue
        if node.data != znode.data:
            found.append("%s holds %r, not %r" % (
                path, znode.data[:24], node.data[:24]))
        if node.written != (znode.version > 0):
            found.append("%s has version %d" % (path, znode.version))
        if bool(node.owner) != bool(znode.owner):
            found.append("%s has the owner %x" % (path, znode.owner))
        same = path in before and before[path].czxid == znode.czxid
        if same != (node.was == path):
            found.append("%s is %s znode" % (path, "the same" if same
                                             else "another"))
    return found
