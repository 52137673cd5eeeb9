/*
 * packet: see packet.h. The records are those of zookeeper.jute; a reader that
 * has met the end, or a length that cannot be, has failed, and stays so.
 */
#include "fs/zk/packet.h"

#define STAT_BYTES     68
#define PASSWORD       16
#define TIMEOUT_MIN_MS 20
/* As long as a session may be asked for: the library waits for parts of it. */
#define TIMEOUT_MAX_MS 86400000
/* Of a reply: xid, zxid, error. */
#define HEADER 16

enum {
	XID_EVENT = -1,
	TYPE_ERROR = -1, /* of a result */
	TYPE_CREATE = 1,
	TYPE_DELETE = 2,
	TYPE_EXISTS = 3,
	TYPE_GET = 4,
	TYPE_SET = 5,
	TYPE_GET_ACL = 6,
	TYPE_SET_ACL = 7,
	TYPE_SYNC = 9,
	TYPE_CHILDREN2 = 12,
	TYPE_CHECK = 13,
	TYPE_MULTI = 14,
};

struct reader {
	const unsigned char *at;
	size_t left;
	bool failed;
};

static void skip(struct reader *in, size_t len)
{
	if (len > in->left)
		in->failed = true;
	if (in->failed)
		return;
	in->at += len;
	in->left -= len;
}

static int32_t read_int(struct reader *in)
{
	const unsigned char *at = in->at;

	skip(in, 4);
	if (in->failed)
		return 0;
	return (int32_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
			 (uint32_t)at[2] << 8 | at[3]);
}

static void skip_string(struct reader *in)
{
	int32_t len = read_int(in);

	if (len < 0)
		in->failed = true;
	else
		skip(in, (size_t)len);
}

/* -1 is null. */
static void skip_buffer(struct reader *in)
{
	int32_t len = read_int(in);

	if (len < -1)
		in->failed = true;
	else if (len > 0)
		skip(in, (size_t)len);
}

/* The count of a vector whose entries have `least` bytes or more: nothing is
 * allocated for more than there can be. */
static size_t read_count(struct reader *in, size_t least)
{
	int32_t count = read_int(in);

	if (count < 0 || (size_t)count > in->left / least)
		in->failed = true;
	return in->failed ? 0 : (size_t)count;
}

static void skip_strings(struct reader *in)
{
	for (size_t n = read_count(in, 4); n > 0 && !in->failed; n--)
		skip_string(in);
}

static void skip_acl(struct reader *in)
{
	for (size_t n = read_count(in, 12); n > 0 && !in->failed; n--) {
		(void)read_int(in);
		skip_string(in);
		skip_string(in);
	}
}

bool zkfs_packet_renews(const void *packet, size_t len)
{
	struct reader in = {.at = packet, .left = len};
	int32_t id[2];

	skip(&in, 4 + 8 + 4); /* protocol, last zxid, timeout */
	id[0] = read_int(&in);
	id[1] = read_int(&in);
	return !in.failed && (id[0] || id[1]);
}

/* An expired session is answered with no timeout, and none as its id: to who
 * has asked for one that was, the library takes it for a session otherwise. A
 * server gives two of its ticks at least, and nobody makes them shorter than
 * this. */
bool zkfs_packet_is_greeting(const void *packet, size_t len, bool renews)
{
	struct reader in = {.at = packet, .left = len};
	int32_t timeout_ms, id[2];
	bool none;

	skip(&in, 4); /* protocol */
	timeout_ms = read_int(&in);
	id[0] = read_int(&in);
	id[1] = read_int(&in);
	none = !id[0] && !id[1];
	if (timeout_ms > TIMEOUT_MAX_MS)
		return false;
	if (timeout_ms < TIMEOUT_MIN_MS && (timeout_ms != 0 || !none))
		return false;
	if (none && !renews)
		return false;
	if (read_int(&in) != PASSWORD)
		return false;
	skip(&in, PASSWORD);
	/* Older servers do not say whether they are read-only. */
	return !in.failed && in.left <= 1;
}

/* Requests */

static int32_t read_op(struct reader *in, bool *ret_done)
{
	int32_t type = read_int(in);

	*ret_done = in->left > 0 && !in->failed && *in->at != 0;
	skip(in, 1 + 4); /* done, error */
	return type;
}

static void skip_op(struct reader *in, int32_t type)
{
	skip_string(in);
	if (type == TYPE_CREATE) {
		skip_buffer(in);
		skip_acl(in);
	} else if (type == TYPE_SET) {
		skip_buffer(in);
	} else if (type != TYPE_DELETE && type != TYPE_CHECK) {
		in->failed = true;
	}
	skip(in, 4); /* flags, version */
}

/* FNV-1a. */
static uint32_t add_type(uint32_t hash, int32_t type)
{
	return (hash ^ (uint32_t)type) * 16777619U;
}

static void read_ops(struct reader *in, struct zkfs_packet_request *request)
{
	for (;;) {
		bool done;
		int32_t type = read_op(in, &done);

		if (in->failed || done)
			return;
		skip_op(in, type);
		request->n_ops++;
		request->ops = add_type(request->ops, type);
	}
}

bool zkfs_packet_read_request(const void *packet, size_t len,
			      struct zkfs_packet_request *ret_request)
{
	struct reader in = {.at = packet, .left = len};
	struct zkfs_packet_request request = {0};

	request.xid = read_int(&in);
	request.type = read_int(&in);
	if (request.type == TYPE_MULTI)
		read_ops(&in, &request);
	if (!in.failed)
		*ret_request = request;
	return !in.failed;
}

/* Replies */

bool zkfs_packet_xid(const void *packet, size_t len, int32_t *ret_xid)
{
	struct reader in = {.at = packet, .left = len};

	*ret_xid = read_int(&in);
	return len >= HEADER;
}

bool zkfs_packet_is_notice(const void *packet, size_t len)
{
	struct reader in = {.at = packet, .left = len};
	int32_t xid = read_int(&in);

	skip(&in, HEADER - 4);
	if (xid == XID_EVENT) {
		skip(&in, 4 + 4); /* type, state */
		skip_string(&in);
	}
	return !in.failed;
}

static void skip_result(struct reader *in, int32_t type)
{
	if (type == TYPE_ERROR)
		skip(in, 4);
	else if (type == TYPE_CREATE)
		skip_string(in);
	else if (type == TYPE_SET)
		skip(in, STAT_BYTES);
}

/* One result for each operation, of its kind, or an error for each, and the
 * end. */
static void skip_results(struct reader *in,
			 const struct zkfs_packet_request *request)
{
	uint32_t types = 0, n_errors = 0;
	bool done = false;

	for (uint32_t i = 0; i < request->n_ops && !in->failed && !done; i++) {
		int32_t type = read_op(in, &done);

		n_errors += type == TYPE_ERROR;
		types = add_type(types, type);
		skip_result(in, type);
	}
	if (done || (n_errors != request->n_ops && types != request->ops))
		in->failed = true;
	(void)read_op(in, &done);
	if (!done)
		in->failed = true;
}

static void skip_record(struct reader *in, int32_t type)
{
	switch (type) {
	case TYPE_GET:
		skip_buffer(in);
		break;
	case TYPE_CHILDREN2:
		skip_strings(in);
		break;
	case TYPE_GET_ACL:
		skip_acl(in);
		break;
	case TYPE_SYNC:
		skip_string(in);
		return;
	case TYPE_EXISTS:
	case TYPE_SET:
	case TYPE_SET_ACL:
		break;
	default:
		return;
	}
	skip(in, STAT_BYTES);
}

bool zkfs_packet_is_reply(const void *packet, size_t len,
			  const struct zkfs_packet_request *request)
{
	struct reader in = {.at = packet, .left = len};
	int32_t xid = read_int(&in);
	int32_t error;

	skip(&in, 8);
	error = read_int(&in);
	if (in.failed || xid != request->xid)
		return false;
	/* The library reads the results of a transaction that has failed,
	 * too, and nothing else behind an error. */
	if (request->type == TYPE_MULTI)
		skip_results(&in, request);
	else if (error == 0)
		skip_record(&in, request->type);
	return !in.failed;
}
