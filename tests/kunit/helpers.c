// SPDX-License-Identifier: GPL-2.0

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pm_runtime.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "helpers.h"

int rgt_test_module_refcount(void)
{
#if defined(MODULE) && defined(CONFIG_MODULE_UNLOAD)
	return module_refcount(THIS_MODULE);
#else
	return -1;
#endif
}

void *rgt_test_expect_warning(struct kunit *test)
{
	/* Jobs are dropped where memory must not be waited for. */
	unsigned int flags = memalloc_noreclaim_save();
	void *handle = kunit_start_suppress_warning(test);

	memalloc_noreclaim_restore(flags);
	return handle;
}

int rgt_test_end_warning(struct kunit *test, void *handle)
{
	int count = kunit_suppressed_warning_count(handle);

	kunit_end_suppress_warning(test, handle);
	return count;
}

void rgt_test_signal_self(void)
{
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
}

void rgt_test_end_signals(void)
{
	disallow_signal(SIGUSR1);
	flush_signals(current);
}

struct drm_file *rgt_test_open(struct drm_device *dev)
{
	struct file *filp = mock_drm_getfile(dev->primary, O_RDWR);

	return IS_ERR(filp) ? ERR_CAST(filp) : filp->private_data;
}

void rgt_test_close(struct drm_file *file)
{
	/* Tests are threads of the kernel, whose files are closed later. */
	__fput_sync(file->filp);
}

unsigned long rgt_test_mmap(struct kunit *test, unsigned long size, bool write)
{
	return kunit_vm_mmap(test, NULL, 0, size,
			     PROT_READ | (write ? PROT_WRITE : 0),
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
}

void rgt_test_init_device_lock(struct device *dev)
{
	mutex_init(&dev->mutex);
}

void rgt_test_enable_runtime_pm(struct device *dev)
{
	pm_runtime_set_active(dev);
	pm_runtime_enable(dev);
}

void rgt_test_disable_runtime_pm(struct device *dev)
{
	pm_runtime_disable(dev);
}

int rgt_test_runtime_suspend(struct device *dev)
{
	return pm_runtime_suspend(dev);
}

bool rgt_test_is_runtime_suspended(struct device *dev)
{
	return pm_runtime_suspended(dev);
}
