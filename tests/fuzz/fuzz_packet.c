/*
 * fuzz_packet: what a client sends and a server answers. The input's first byte
 * says how long the request is; the rest is the reply. Both are given exactly
 * as long as they are, so that a sanitizer sees a read past the end.
 */
#include <string.h>

#include "fs/base/util.h"
#include "fs/zk/packet.h"
#include "tests/fuzz/fuzz.h"

static void *copy_of(const void *data, size_t len)
{
	void *copy = malloc(len ? len : 1);

	fuzz_must(copy);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {.data = data, .len = len};
	size_t asked = fuzz_u8(&in), n = zkfs_min_size(asked, in.len);
	void *sent = copy_of(in.data, n);
	void *reply = copy_of(in.data + n, in.len - n);
	struct zkfs_packet_request request;
	int32_t xid;

	(void)zkfs_packet_is_greeting(reply, in.len - n, n % 2);
	(void)zkfs_packet_renews(reply, in.len - n);
	(void)zkfs_packet_is_notice(reply, in.len - n);
	(void)zkfs_packet_xid(reply, in.len - n, &xid);
	if (zkfs_packet_read_request(sent, n, &request)) {
		fuzz_must(request.n_ops <= n);
		(void)zkfs_packet_is_reply(reply, in.len - n, &request);
	}
	free(sent);
	free(reply);
	return 0;
}
