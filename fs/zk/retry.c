/*
 * retry: see retry.h. What each code means was read in the client's source
 * (zookeeper.c, cleanup() and nonblocking_send()) and in the server's
 * (PrepRequestProcessor, RequestThrottler).
 */
#include "fs/zk/retry.h"

#include <assert.h>
#include <stddef.h>

#include <zookeeper/zookeeper.h>

#include "fs/base/util.h"

enum meaning {
	UNKNOWN,  /* the link broke with the request on the way */
	NOT_DONE, /* the server, or our own side, says it did nothing */
	INTERNAL, /* memory or marshalling failed, here or there */
};

static const struct {
	int code;
	enum meaning meaning;
} rules[] = {
	{ZCONNECTIONLOSS, UNKNOWN},
	{ZOPERATIONTIMEOUT, UNKNOWN},
	/* As the code of a whole request, never of one operation of a multi:
	 * the replies did not match the requests, after a failed send. */
	{ZRUNTIMEINCONSISTENCY, UNKNOWN},
	{ZDATAINCONSISTENCY, UNKNOWN},
	{ZSESSIONEXPIRED, UNKNOWN},
	{ZCLOSING, UNKNOWN},
	{ZINVALIDSTATE, UNKNOWN},
	{ZSESSIONMOVED, NOT_DONE},
	{ZTHROTTLEDOP, NOT_DONE},
	{ZSYSTEMERROR, INTERNAL},
	{ZMARSHALLINGERROR, INTERNAL},
};

bool zkfs_retry_changes(enum zkfs_zk_kind kind)
{
	switch (kind) {
	case ZKFS_ZK_SET:
	case ZKFS_ZK_SET_ACL:
	case ZKFS_ZK_DELETE:
	case ZKFS_ZK_MULTI:
		return true;
	case ZKFS_ZK_EXISTS:
	case ZKFS_ZK_GET:
	case ZKFS_ZK_CHILDREN:
	case ZKFS_ZK_GET_ACL:
	case ZKFS_ZK_SYNC:
		return false;
	case _ZKFS_ZK_KIND_N:
		break;
	}
	assert(0);
	return true;
}

static enum zkfs_retry lost(enum zkfs_error *ret_error)
{
	*ret_error = ZKFS_E_LOST;
	return ZKFS_RETRY_LOST;
}

static enum zkfs_retry answer(enum zkfs_error error, enum zkfs_error *ret_error)
{
	*ret_error = error;
	return ZKFS_RETRY_ANSWER;
}

static enum zkfs_retry again(enum zkfs_error *ret_error)
{
	*ret_error = ZKFS_E_OTHER;
	return ZKFS_RETRY_AGAIN;
}

enum zkfs_retry zkfs_retry_decide(enum zkfs_zk_kind kind, int code, bool sent,
				  enum zkfs_error *ret_error)
{
	bool harm = sent && zkfs_retry_changes(kind);

	for (size_t i = 0; i < ZKFS_ARRAY_SIZE(rules); i++) {
		if (rules[i].code != code)
			continue;
		switch (rules[i].meaning) {
		case UNKNOWN:
			return harm ? lost(ret_error) : again(ret_error);
		case NOT_DONE:
			return again(ret_error);
		case INTERNAL:
			/* Not sent again: it would fail in the same way. */
			if (harm)
				return lost(ret_error);
			return answer(sent ? ZKFS_E_OTHER : ZKFS_E_NOMEM,
				      ret_error);
		}
	}
	return answer(zkfs_error_from_protocol(code), ret_error);
}
