/*
 * link: the two pointers by which a structure is a member of a list. Stands
 * here since the port's requests, which callers embed, carry one.
 */
#ifndef ZKFS_LINK_H
#define ZKFS_LINK_H

struct zkfs_link {
	struct zkfs_link *next;
	struct zkfs_link *prev;
};

#endif
