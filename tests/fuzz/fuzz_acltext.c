/*
 * fuzz_acltext: what user.zk.acl and -o acl= are given. What is taken can be
 * shown, and what is shown is taken as the same list. The length is exact, so
 * that a sanitizer sees a read past the end.
 */
#include <string.h>

#include "fs/base/text.h"
#include "fs/core/acltext.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len ? len : 1), *bytes, *again;
	struct zkfs_text shown = {0};
	size_t n_bytes, n_again;

	fuzz_must(text);
	if (len > 0)
		memcpy(text, data, len);
	if (zkfs_acltext_parse(text, len, &bytes, &n_bytes) == 0) {
		zkfs_acltext_print(&shown, bytes, n_bytes);
		fuzz_must(!shown.failed && shown.len > 0);
		fuzz_must(zkfs_acltext_parse(shown.data, shown.len, &again,
					     &n_again) == 0);
		fuzz_must(n_again == n_bytes &&
			  memcmp(again, bytes, n_bytes) == 0);
		free(again);
		free(bytes);
		zkfs_text_fini(&shown);
	}
	free(text);
	return 0;
}
