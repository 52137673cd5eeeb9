#!/usr/bin/python3
"""plant: builds a tree as one of the systems that use ZooKeeper makes it.

    plant.py HOSTS SYSTEM

The nodes of SYSTEM (one of LAYOUTS) in the order in which it makes them: null
and empty data, JSON with children, containers, ephemerals, sequences, binary.
It prints "ready" and stays, for the ephemerals, until standard input ends.

The layouts are those that the systems document, in the versions that use
ZooKeeper: Kafka 3 (KIP-500's "before"), Solr 9, HBase 2, ClickHouse 22, and the
recipes of Curator 5.
"""
import json
import struct
import sys

from kazoo.client import KazooClient
from kazoo.protocol.serialization import Create2
from kazoo.security import OPEN_ACL_UNSAFE

NULL = None
EMPTY = b""

# What a node is.
(PLAIN, EPHEMERAL, SEQUENCE, EPHEMERAL_SEQUENCE, CONTAINER, WRITTEN, TTL,
 TTL_SEQUENCE) = range(8)
TTL_MS = 3600 * 1000


class CreateContainer(Create2):
    """OpCode.createContainer, which kazoo does not have."""
    type = 19


class CreateTTL(Create2):
    """OpCode.createTTL: the same, and after it the time to live."""
    type = 21

    def serialize(self):
        return super().serialize() + struct.pack("!q", TTL_MS)


def text(**fields):
    return json.dumps(fields).encode()


def binary(prefix, length):
    """Not text: all bytes, also those that end strings and lines."""
    return prefix + bytes(i * 7 % 256 for i in range(length))


def pbuf(name, length):
    """HBase: the name of who wrote it, then protobuf behind a magic."""
    return binary(b"\xff\x00\x00\x00" + bytes([len(name)]) + name + b"PBUF",
                  length)


def kafka():
    for path in ("/consumers", "/brokers/ids", "/brokers/topics",
                 "/config/changes", "/admin/delete_topics",
                 "/brokers/seqid", "/isr_change_notification",
                 "/log_dir_event_notification", "/config/topics",
                 "/config/clients", "/config/users", "/config/brokers",
                 "/config/ips"):
        yield path, NULL, PLAIN
    yield "/brokers/seqid", EMPTY, WRITTEN
    yield "/cluster/id", text(version="1", id="vPeOCWypqUOSepEvx0cbog"), PLAIN
    yield "/feature", text(features={}, version=2, status=1), PLAIN
    yield "/controller_epoch", b"1", WRITTEN
    yield "/controller", text(version=1, brokerid=0), EPHEMERAL
    yield "/brokers/ids/0", text(endpoints=["PLAINTEXT://h:9092"],
                                 version=5), EPHEMERAL
    for topic in ("orders", "__consumer_offsets", "a.b_c-d"):
        node = "/brokers/topics/" + topic
        yield node, text(partitions={"0": [0], "1": [0]}, version=3), PLAIN
        yield "/config/topics/" + topic, text(version=1, config={}), PLAIN
        yield node + "/partitions", NULL, PLAIN
        for partition in "01":
            yield "%s/partitions/%s" % (node, partition), NULL, PLAIN
            yield ("%s/partitions/%s/state" % (node, partition),
                   text(controller_epoch=1, leader=0, isr=[0]), PLAIN)
    yield "/admin/delete_topics/old", NULL, PLAIN  # a marker, no directory
    yield "/admin/reassign_partitions", text(version=1, partitions=[]), PLAIN
    yield ("/config/changes/config_change_",
           text(version=2, entity_path="topics/orders"), SEQUENCE)
    yield ("/isr_change_notification/isr_change_",
           text(version=1, partitions=[]), SEQUENCE)
    yield "/config/users/CN%3Dx%2COU%3Dy", text(version=1, config={}), PLAIN
    yield "/kafka-acl/Topic/*", text(version=1, acls=[]), PLAIN
    yield "/kafka-acl-changes", NULL, PLAIN
    yield "/latest_producer_id_block", text(version=1, broker=0), WRITTEN


def solr():
    yield "/security.json", b"{}", PLAIN
    yield "/aliases.json", EMPTY, PLAIN
    yield "/clusterprops.json", text(urlScheme="http"), PLAIN
    for path in ("/overseer/queue", "/overseer/queue-work",
                 "/overseer/collection-queue-work", "/overseer_elect/election",
                 "/configs", "/live_nodes", "/collections"):
        yield path, NULL, PLAIN
    conf = "/configs/_default"
    yield conf, text(trusted=True), PLAIN  # data of a directory
    yield conf + "/managed-schema.xml", b"<?xml ?>\n<schema/>\n" * 9000, PLAIN
    yield conf + "/solrconfig.xml", "<config>ä</config>".encode(), PLAIN
    yield conf + "/protwords.txt", EMPTY, PLAIN
    yield conf + "/lang/stopwords_en.txt", b"a\nan\nand\r\n", PLAIN
    yield conf + "/lang/userdict_ja.txt", "# 日本\n".encode(), PLAIN
    shop = "/collections/shop"
    yield shop, text(configName="_default"), PLAIN
    yield shop + "/state.json", text(shop={"shards": {}}), WRITTEN
    yield shop + "/terms/shard1", text(core_node2=0), WRITTEN
    yield (shop + "/leader_elect/shard1/election/72057-core_node2-n_",
           NULL, EPHEMERAL_SEQUENCE)
    yield (shop + "/leaders/shard1/leader",
           text(core="shop_shard1_replica_n1"), EPHEMERAL)
    yield "/live_nodes/10.0.0.1:8983_solr", NULL, EPHEMERAL
    yield "/overseer_elect/election/72057-10.0.0.1:8983_solr-n_", NULL, \
        EPHEMERAL_SEQUENCE
    yield "/overseer_elect/leader", text(id="72057"), EPHEMERAL
    yield "/overseer/queue/qn-", text(operation="state"), SEQUENCE


def hbase():
    top = "/hbase"
    for path in ("", "/tokenauth/keys", "/rs", "/draining", "/splitWAL",
                 "/backup-masters", "/online-snapshot/acquired",
                 "/online-snapshot/reached", "/online-snapshot/abort",
                 "/flush-table-proc/acquired", "/flush-table-proc/reached",
                 "/flush-table-proc/abort", "/replication/rs",
                 "/table", "/namespace"):
        yield top + path, EMPTY, PLAIN
    name = b"master:16000"
    yield top + "/hbaseid", pbuf(name, 38), PLAIN
    yield top + "/master", pbuf(name, 80), EPHEMERAL
    yield top + "/running", pbuf(name, 30), PLAIN
    yield top + "/meta-region-server", pbuf(name, 60), WRITTEN
    yield top + "/rs/node-1,16020,1700000000000", pbuf(name, 50), EPHEMERAL
    yield top + "/table/hbase:meta", pbuf(name, 4), PLAIN
    yield top + "/table/ns:t", pbuf(name, 4), PLAIN
    yield top + "/namespace/default", binary(b"", 256), PLAIN
    yield top + "/balancer", pbuf(name, 2), PLAIN
    yield top + "/switch/split", pbuf(name, 2), PLAIN
    yield top + "/replication/peers/1", binary(b"PBUF", 60), PLAIN
    yield top + "/replication/peers/1/peer-state", b"PBUF\x08\x00", PLAIN
    yield (top + "/replication/rs/node-1,16020,1700000000000/1/"
           "node-1%2C16020%2C1.1700000000001", b"PBUF\x08\x00", PLAIN)


def clickhouse():
    top = "/clickhouse/tables/01/default.hits"
    yield top, EMPTY, PLAIN
    yield top + "/metadata", (b"metadata format version: 1\ndate column: \n"
                              b"primary key: id\n"), PLAIN
    yield top + "/columns", (b"columns format version: 1\n2 columns:\n"
                             b"`id` UInt64\n`a\\tb` String\n"), PLAIN
    for path in ("/log", "/blocks", "/block_numbers", "/quorum",
                 "/quorum/parallel", "/mutations", "/temp",
                 "/nonincrement_block_numbers", "/leader_election"):
        yield top + path, EMPTY, PLAIN
    for path in ("/quorum/last_part", "/quorum/failed_parts"):
        yield top + path, EMPTY, PLAIN
    yield top + "/pinned_part_uuids", text(part_uuids="[]"), PLAIN
    yield top + "/log/log-", (b"format version: 4\nsource replica: r1\n"
                              b"get\n202401_0_0_0\n"), SEQUENCE
    yield top + "/blocks/202401_1234_5678", b"202401_0_0_0", PLAIN
    yield top + "/block_numbers/202401", EMPTY, PLAIN
    yield top + "/block_numbers/202401/block-", b"temp", EPHEMERAL_SEQUENCE
    yield top + "/leader_election/leader_election-", b"r1 (multiple)", SEQUENCE
    yield top + "/mutations/0000000000", (b"format version: 1\n"
                                          b"commands: DROP COLUMN `x`\n"), PLAIN
    yield top + "/replicas", b"last added replica: r1", PLAIN
    one = top + "/replicas/r1"
    # Values that were not written yet: empty leaves, which are no directories.
    for path in ("", "/host", "/log_pointer", "/flags", "/queue", "/parts",
                 "/mutation_pointer", "/max_processed_insert_time",
                 "/min_unprocessed_insert_time"):
        yield one + path, EMPTY, PLAIN
    yield one + "/is_lost", b"0", WRITTEN
    yield one + "/log_pointer", b"1", WRITTEN
    yield one + "/metadata_version", b"0", PLAIN
    yield one + "/is_active", b"UUID_1", EPHEMERAL
    yield one + "/parts/202401_0_0_0", binary(b"part header\n", 300), PLAIN
    yield one + "/queue/queue-", b"format version: 4\nget\n", SEQUENCE
    yield ("/clickhouse/task_queue/ddl/query-",
           b"version: 1\nquery: CREATE TABLE `t` \xd1\x8f\n", SEQUENCE)
    yield "/clickhouse/task_queue/ddl/query-0000000000/active", EMPTY, PLAIN
    yield ("/clickhouse/task_queue/ddl/query-0000000000/finished/"
           "host%2Eexample:9000", b"0", PLAIN)


def curator():
    for path in ("/app", "/app/mutex", "/app/latch", "/app/services",
                 "/app/services/shop"):
        yield path, EMPTY, CONTAINER
    guid = "_c_6d3a1a4e-5f5e-4b0a-9c53-0d6c4a1f2b3c-"
    yield "/app/mutex/" + guid + "lock-", b"10.0.0.1", EPHEMERAL_SEQUENCE
    yield "/app/latch/" + guid + "latch-", b"node 1", EPHEMERAL_SEQUENCE
    yield ("/app/services/shop/3fa85f64-5717-4562-b3fc-2c963f66afa6",
           text(name="shop", address="10.0.0.1", port=80), EPHEMERAL)
    yield "/app/counter", b"\x00\x00\x00\x07", WRITTEN  # SharedCount
    yield "/app/leaf", b"10.0.0.1", PLAIN  # no data given: the address
    yield "/app/barrier", EMPTY, PLAIN
    yield "/app/queue/queue-", b"\x00\x00\x00\x01\x01\x05hello", SEQUENCE
    yield "/app/queue-puts/in", EMPTY, PLAIN
    yield "/app/cache/a b/ü/x.y..z", b"names", PLAIN
    yield "/app/cache/-rf", b"a name", PLAIN
    yield "/app/cache/$(x) `y` \"z\" 'q' \\n", b"a name", PLAIN
    yield "/app/box", b"a container with data", CONTAINER
    yield "/app/box/child", EMPTY, WRITTEN


def ttl():
    """Curator's PersistentTtlNode, and what else CreateMode can do; the server
    has to allow it (zookeeper.extendedTypesEnabled)."""
    yield "/app", EMPTY, PLAIN
    yield "/app/members", EMPTY, CONTAINER
    for member in ("a", "b"):
        yield "/app/members/" + member, member.encode(), CONTAINER
        yield "/app/members/%s/touch" % member, EMPTY, TTL
    yield "/app/cache", b"data of a directory", TTL
    yield "/app/cache/1", b"value", TTL
    yield "/app/cache/2", binary(b"", 256), TTL
    yield "/app/cache/plain", b"value", PLAIN
    yield "/app/empty", EMPTY, TTL
    yield "/app/null", NULL, TTL
    yield "/app/dir", EMPTY, TTL
    yield "/app/dir/child", b"value", PLAIN
    yield "/app/queue", EMPTY, TTL
    yield "/app/queue/qn-", text(operation="state"), TTL_SEQUENCE
    yield "/app/queue/qn-", b"2", TTL_SEQUENCE
    yield "/app/host", b"10.0.0.1", EPHEMERAL


LAYOUTS = {f.__name__: f for f in (kafka, solr, hbase, clickhouse, curator, ttl)}


# By requests that kazoo does not have, with the flags of CreateMode.
EXTENDED = {CONTAINER: (CreateContainer, 4), TTL: (CreateTTL, 5),
            TTL_SEQUENCE: (CreateTTL, 6)}


def make(client, path, data, kind):
    client.ensure_path(path.rsplit("/", 1)[0] or "/")
    if kind == WRITTEN:
        if not client.exists(path):
            client.create(path, b"")
        client.set(path, data)
    elif kind in EXTENDED:
        request, flags = EXTENDED[kind]
        result = client.handler.async_result()
        client._call(request(client.chroot + path, data, OPEN_ACL_UNSAFE,
                             flags), result)
        result.get(timeout=10)
    elif not client.exists(path) or kind in (SEQUENCE, EPHEMERAL_SEQUENCE):
        client.create(path, data,
                      ephemeral=kind in (EPHEMERAL, EPHEMERAL_SEQUENCE),
                      sequence=kind in (SEQUENCE, EPHEMERAL_SEQUENCE))


def main():
    client = KazooClient(hosts=sys.argv[1], timeout=10)
    client.start(timeout=20)
    for path, data, kind in LAYOUTS[sys.argv[2]]():
        make(client, path, data, kind)
    print("ready", flush=True)
    sys.stdin.read()
    client.stop()


if __name__ == "__main__":
    main()
