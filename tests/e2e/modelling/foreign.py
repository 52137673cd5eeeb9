"""foreign: a client that knows nothing of zkfs. It changes znodes, and says
what the tree is like in truth: there is one server, which answers reads with
all that it has acknowledged before."""
import errno

from kazoo.client import KazooClient
from kazoo.exceptions import (NoChildrenForEphemeralsError, NodeExistsError,
                              NoNodeError, NotEmptyError)

from modelling.znodes import PATHS, ROOT, Znode, parent_of

ERRNOS = {NoNodeError: errno.ENOENT, NodeExistsError: errno.EEXIST,
          NotEmptyError: errno.ENOTEMPTY,
          NoChildrenForEphemeralsError: errno.ENOTDIR}
SECONDS = 20


class Foreign:
    def __init__(self, source):
        self.client = KazooClient(hosts=source, timeout=20)
        self.client.start(timeout=SECONDS)

    def close(self):
        self.client.stop()
        self.client.close()

    def change(self, change):
        """Returns the errno that a file system would give it, or 0."""
        try:
            getattr(self, change.kind)(change.path, change.data)
            return 0
        except tuple(ERRNOS) as error:
            return ERRNOS[type(error)]

    def zk_create(self, path, data):
        self.client.create(path, data)

    def zk_ephemeral(self, path, data):
        self.client.create(path, data, ephemeral=True)

    def zk_set(self, path, data):
        self.client.set(path, data)

    def zk_delete(self, path, _):
        self.client.delete(path)

    def zk_recreate(self, path, data):
        """In one transaction: nobody sees that it was gone."""
        transaction = self.client.transaction()
        transaction.delete(path)
        transaction.create(path, data)
        for result in transaction.commit():
            if isinstance(result, tuple(ERRNOS)):
                raise result

    def tree(self):
        asked = [(path, self.client.get_async(path or "/"))
                 for path in [ROOT] + PATHS]
        got = {}
        for path, result in asked:
            try:
                got[path] = result.get(timeout=SECONDS)
            except NoNodeError:
                pass
        names = {path: set() for path in got}
        for path in got:
            if path != ROOT:
                names[parent_of(path)].add(path.rpartition("/")[2])
        return {path: Znode(stat.czxid, stat.mzxid, stat.version, stat.cversion,
                            stat.mtime, stat.ephemeralOwner, data,
                            frozenset(names[path]))
                for path, (data, stat) in got.items()}
