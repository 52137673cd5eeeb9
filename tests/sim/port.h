/*
 * port: include/zkfs/zk.h over the server in memory, one `struct zkfs_zk` a
 * client, with a network between that only moves when it is told to.
 *
 *   submit -> waiting -> wire -> (execute) -> inbound -> (deliver) -> done
 *
 * Nothing happens by itself: the simulation chooses which of the functions
 * below runs next. So delay is the default, and every fault is a call:
 *
 *   cut      the connection breaks. Requests on the wire are lost, or the
 *            first of them still arrive and are executed later, before the
 *            client can be back; of what was on the way to the client a part
 *            arrives. The client does not know yet.
 *   notice   it does: watches end, changes come back as LOST, reads are kept.
 *   connect  back, to a replica that may be behind; or the session has
 *            expired, and the next one begins.
 *   expire   the server ends the session of a client that is cut off.
 */
#ifndef ZKFS_SIM_PORT_H
#define ZKFS_SIM_PORT_H

#include <stdbool.h>

#include "include/zkfs/zk.h"
#include "tests/sim/random.h"
#include "tests/sim/server.h"

/* Of every session. */
#define SIM_PORT_TIMEOUT_MS 10000

struct zkfs_zk *sim_port_new(struct sim_server *server,
			     struct sim_random *random);
struct zkfs_zk *sim_port_free(struct zkfs_zk *zk);

/* One step each; false when there was nothing to do. */
bool sim_port_execute(struct zkfs_zk *zk);
bool sim_port_deliver(struct zkfs_zk *zk);
bool sim_port_advance(struct zkfs_zk *zk);
bool sim_port_time_out(struct zkfs_zk *zk);
bool sim_port_cut(struct zkfs_zk *zk);
bool sim_port_notice(struct zkfs_zk *zk);
bool sim_port_connect(struct zkfs_zk *zk);
bool sim_port_expire(struct zkfs_zk *zk);

/* What the checks of a simulation may know, and the client may not. */
struct sim_session *sim_port_session(const struct zkfs_zk *zk);
bool sim_port_linked(const struct zkfs_zk *zk);

#endif
