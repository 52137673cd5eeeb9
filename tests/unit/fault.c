/*
 * fault: see fault.h.
 */
#include "fault.h"

#include "tests/fault/wrap.h"

static unsigned countdown;
static bool has_failed;

void fault_arm(unsigned n)
{
	countdown = n;
	has_failed = false;
}

bool fault_disarm(void)
{
	countdown = 0;
	return has_failed;
}

bool fault_is_now(const void *caller)
{
	(void)caller;
	if (countdown == 0 || --countdown > 0)
		return false;
	has_failed = true;
	return true;
}
