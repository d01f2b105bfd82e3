// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "unpatched.h"

static int rgt_destroy_workqueue_thread(void *wq)
{
	destroy_workqueue(wq);
	module_put_and_kthread_exit(0);
}

/*
 * A worker may be one of the work queue's own, which cannot wait for itself: it
 * leaves that to a thread. The thread keeps the module, whose code the work
 * that is waited for may be; without one the work queue stays, and the module
 * for it.
 */
void rgt_destroy_workqueue(struct workqueue_struct *wq)
{
	struct task_struct *thread;

	if (!(current->flags & PF_WQ_WORKER)) {
		destroy_workqueue(wq);
		return;
	}

	__module_get(THIS_MODULE);
	thread = kthread_run(rgt_destroy_workqueue_thread, wq, "rgt-destroy-wq");
	WARN_ON(IS_ERR(thread));
}
