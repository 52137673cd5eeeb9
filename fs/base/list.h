/*
 * list: an intrusive doubly linked list with a head. A link that is in no
 * list points to itself, so that removing it twice is harmless.
 */
#ifndef ZKFS_BASE_LIST_H
#define ZKFS_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "fs/base/util.h"
#include "include/zkfs/link.h"

static inline void zkfs_list_init(struct zkfs_link *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool zkfs_list_empty(const struct zkfs_link *head)
{
	return head->next == head;
}

/* Whether `link` is in a list; also false when it was never initialised. */
static inline bool zkfs_list_linked(const struct zkfs_link *link)
{
	return link->next && link->next != link;
}

static inline void zkfs_list_append(struct zkfs_link *head,
				    struct zkfs_link *link)
{
	assert(!zkfs_list_linked(link));
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void zkfs_list_prepend(struct zkfs_link *head,
				     struct zkfs_link *link)
{
	zkfs_list_append(head->next, link);
}

static inline void zkfs_list_remove(struct zkfs_link *link)
{
	if (!link->next)
		return;
	link->prev->next = link->next;
	link->next->prev = link->prev;
	zkfs_list_init(link);
}

/* Moves every link of `from` to the end of `to`. */
static inline void zkfs_list_splice(struct zkfs_link *to,
				    struct zkfs_link *from)
{
	if (zkfs_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	zkfs_list_init(from);
}

/* The first link of the list, or NULL. */
static inline struct zkfs_link *zkfs_list_first(const struct zkfs_link *head)
{
	return zkfs_list_empty(head) ? NULL : head->next;
}

#define zkfs_list_entry(ptr, type, member) zkfs_container_of(ptr, type, member)

/* Walks the links; the body must not remove the current one. */
#define zkfs_list_for_each(it, head)                                           \
	for (struct zkfs_link *it = (head)->next; it != (head); it = it->next)

/* Walks the links; the body may remove the current one, no other. */
#define zkfs_list_for_each_safe(it, head)                                      \
	for (struct zkfs_link *it = (head)->next, *it##_next = it->next;       \
	     it != (head); it = it##_next, it##_next = it->next)

#endif
