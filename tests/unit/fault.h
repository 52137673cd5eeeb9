/*
 * fault: lets the n-th allocation of a test fail. Each unit test is linked
 * with --wrap for the allocating functions (meson.build here), so that the
 * calls of the code under test come by here; libc's and cmocka's own do not.
 *
 *	for (unsigned n = 1;; n++) {
 *		fault_arm(n);
 *		r = do_it();
 *		if (!fault_disarm())
 *			break;			it got through
 *		assert_int_equal(r, -ENOMEM);	and left nothing behind
 *	}
 */
#ifndef ZKFS_TESTS_FAULT_H
#define ZKFS_TESTS_FAULT_H

#include <stdbool.h>

/* Lets the n-th allocation from now on fail, once; 1 is the next one. */
void fault_arm(unsigned n);
/* Lets none fail any more. Returns whether one has failed since it was
 * armed. */
bool fault_disarm(void);

#endif
