/*
 * lease_event: what happens next, links, clocks that drift, and notes of what
 * has happened; see lease_world.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/lease_world.h"

#define MILLION 1000000

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at_us < b->at_us ||
	       (a->at_us == b->at_us && a->number < b->number);
}

void post(struct world *world, struct event event, int64_t at_us)
{
	struct event *heap = world->events;
	unsigned i = world->n_events++;

	if (i >= MAX_EVENTS)
		abort();
	event.at_us = at_us > world->now_us ? at_us : world->now_us;
	event.number = ++world->last_number;
	for (; i > 0 && earlier(&event, &heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = event;
}

static struct event take_first(struct world *world)
{
	struct event *heap = world->events;
	struct event first = heap[0];
	struct event last = heap[--world->n_events];
	unsigned i = 0, n = world->n_events;

	for (;;) {
		unsigned child = 2 * i + 1;

		if (child + 1 < n && earlier(&heap[child + 1], &heap[child]))
			child++;
		if (child >= n || !earlier(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return first;
}

bool next_event(struct world *world, struct event *ret_event)
{
	*ret_event = take_first(world);
	world->now_us = ret_event->at_us;
	return !ret_event->link || ret_event->life == ret_event->link->life;
}

void link_send(struct world *world, struct link *link, struct event event)
{
	int64_t delay_us = chance(world, 3000) ? link->slow_us
					       : up_to(world, link->slow_us);
	int64_t at_us = world->now_us + delay_us;

	if (link->cut)
		return;
	if (at_us < link->newest_us)
		at_us = link->newest_us;
	link->newest_us = at_us;
	event.link = link;
	event.life = link->life;
	post(world, event, at_us);
}

void link_cut(struct link *link)
{
	link->cut = true;
	link->life++;
}

void link_mend(struct link *link)
{
	link->cut = false;
	link->life++;
	link->newest_us = 0;
}

int64_t clock_us(const struct clock *clock, int64_t true_us)
{
	return clock->local_us +
	       (true_us - clock->true_us) * clock->rate / MILLION;
}

int64_t clock_when(const struct clock *clock, int64_t local_us)
{
	int64_t left_us = local_us - clock->local_us;

	return clock->true_us +
	       (left_us * MILLION + clock->rate - 1) / clock->rate;
}

void clock_drift(struct clock *clock, int64_t true_us, int64_t rate)
{
	clock->local_us = clock_us(clock, true_us);
	clock->true_us = true_us;
	clock->rate = rate;
}

static void print_note(const struct note *note)
{
	if (note->what)
		(void)printf("%8" PRIu64 " %12" PRId64 " us  %s %" PRId64
			     " %" PRId64 "\n",
			     note->step, note->at_us, note->what, note->a,
			     note->b);
}

void note(struct world *world, const char *what, int64_t a, int64_t b)
{
	struct note *note = &world->notes[world->next_note];

	*note = (struct note){world->step, world->now_us, what, a, b};
	world->next_note = (world->next_note + 1) % N_NOTES;
	if (world->verbose)
		print_note(note);
}

void violated(struct world *world, const char *what)
{
	for (unsigned i = 0; i < N_NOTES && !world->verbose; i++)
		print_note(&world->notes[(world->next_note + i) % N_NOTES]);
	(void)printf("FAILED at step %" PRIu64 ": %s\n%s", world->step, what,
		     world->replay);
	exit(1);
}

int64_t up_to(struct world *world, int64_t n)
{
	if (n <= 0)
		return 0;
	return (int64_t)(sim_random_u64(&world->random) % (uint64_t)(n + 1));
}

bool chance(struct world *world, uint32_t of_10000)
{
	return sim_random_chance(&world->random, of_10000);
}
