// SPDX-License-Identifier: GPL-2.0
/*
 * Has a job end in the middle of what a scheduler does without a lock, by probes
 * that delay both sides.
 */

#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/kprobes.h>
#include <linux/workqueue.h>

#include "probe.h"

#ifdef CONFIG_KPROBES

/* Milliseconds that a side waits for the other at most. */
#define PATIENCE 10000
/* Milliseconds that the scheduler gives the work that should not run. */
#define WINDOW 200

enum stage { IDLE, BEGUN, ENDING, INSIDE };

static enum stage stage;
static struct work_struct *ending_work;
static struct dma_fence *ending_fence;

static void wait_for_stage(enum stage wanted)
{
	int i;

	for (i = 0; i < PATIENCE && READ_ONCE(stage) < wanted; i++)
		mdelay(1);
}

/* The scheduler is about to cancel its work: now the job ends. */
static int begin(struct kprobe *probe, struct pt_regs *regs)
{
	if (cmpxchg(&stage, IDLE, BEGUN) == IDLE)
		wait_for_stage(ENDING);
	return 0;
}

/* queue_work_on(cpu, wq, work): the job has ended. */
static int queueing(struct kprobe *probe, struct pt_regs *regs)
{
	if ((void *)regs_get_kernel_argument(regs, 2) == ending_work &&
	    cmpxchg(&stage, BEGUN, ENDING) == BEGUN)
		wait_for_stage(INSIDE);
	return 0;
}

/* dma_fence_remove_callback(fence, cb): the scheduler has cancelled it. */
static int removing(struct kprobe *probe, struct pt_regs *regs)
{
	if ((void *)regs_get_kernel_argument(regs, 0) == ending_fence &&
	    cmpxchg(&stage, ENDING, INSIDE) == ENDING)
		mdelay(WINDOW);
	return 0;
}

static struct kprobe begin_probe = { .pre_handler = begin };

static struct kprobe queueing_probe = {
	.symbol_name = "queue_work_on",
	.pre_handler = queueing,
};

static struct kprobe removing_probe = {
	.symbol_name = "dma_fence_remove_callback",
	.pre_handler = removing,
};

static struct kprobe *probes[] = {
	&begin_probe, &queueing_probe, &removing_probe,
};

int rgt_test_race_begin(const char *symbol, struct work_struct *work,
			struct dma_fence *fence)
{
	int i;

	stage = IDLE;
	ending_work = work;
	ending_fence = fence;
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		/* An earlier use has set these. */
		probes[i]->addr = NULL;
		probes[i]->flags = 0;
	}
	begin_probe.symbol_name = symbol;
	return register_kprobes(probes, ARRAY_SIZE(probes));
}

bool rgt_test_race_has_begun(void)
{
	return READ_ONCE(stage) != IDLE;
}

bool rgt_test_race_end(void)
{
	unregister_kprobes(probes, ARRAY_SIZE(probes));
	/* If it has not begun, the job ends all the same. */
	return xchg(&stage, INSIDE) == INSIDE;
}

#else

int rgt_test_race_begin(const char *symbol, struct work_struct *work,
			struct dma_fence *fence)
{
	return -EOPNOTSUPP;
}

bool rgt_test_race_has_begun(void)
{
	return false;
}

bool rgt_test_race_end(void)
{
	return false;
}

#endif
