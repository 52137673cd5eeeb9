/*
 * wrap: what is asked before each allocation of the code under test. The
 * linker turns a call of malloc() into one of __wrap_malloc(), and
 * __real_malloc() into the true one (ld(1), --wrap); libc's own calls, and
 * those of other libraries, do not come by.
 */
#ifndef ZKFS_TESTS_FAULT_WRAP_H
#define ZKFS_TESTS_FAULT_WRAP_H

#include <stdbool.h>

/* Whether this allocation, called for from `caller`, is to fail. Whoever links
 * the wraps has it. */
bool fault_is_now(const void *caller);

#endif
