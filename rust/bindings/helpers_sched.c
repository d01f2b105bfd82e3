// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/module.h>

#include "helpers.h"

/* The scheduler must be stopped. */
void rgt_drm_sched_visit_pending_jobs(struct drm_gpu_scheduler *sched,
				      void (*f)(struct drm_sched_job *job))
{
	struct drm_sched_job *job;

	drm_sched_for_each_pending_job(job, sched, NULL)
		f(job);
}

/* Keeps the module for ever, for what leaks with its code in use. */
void rgt_module_pin(void)
{
	__module_get(THIS_MODULE);
}
