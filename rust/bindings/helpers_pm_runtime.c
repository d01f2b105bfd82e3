// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/device.h>
#include <linux/lockdep.h>
#include <linux/pm_runtime.h>

#include "helpers.h"

/* The time after which a suspend is tried again, besides the delay. */
#define RGT_RETRY_NS	(100 * NSEC_PER_MSEC)

#ifdef CONFIG_LOCKDEP
/*
 * Held by the callbacks, which those wait for who resume a device: what they
 * hold must not be waited for by a callback.
 */
static struct lockdep_map rgt_pm_runtime_map =
	STATIC_LOCKDEP_MAP_INIT("rgt_pm_runtime_map", &rgt_pm_runtime_map);
#endif

void rgt_pm_runtime_begin_callback(void)
{
	lock_map_acquire(&rgt_pm_runtime_map);
}

void rgt_pm_runtime_end_callback(void)
{
	lock_map_release(&rgt_pm_runtime_map);
}

int rgt_pm_runtime_resume_and_get(struct device *dev)
{
	lock_map_acquire(&rgt_pm_runtime_map);
	lock_map_release(&rgt_pm_runtime_map);
	return pm_runtime_resume_and_get(dev);
}

/* A device whose runtime PM is off stays as it is. */
static bool rgt_get_without_runtime_pm(struct device *dev)
{
	if (pm_runtime_status_suspended(dev))
		return false;
	pm_runtime_get_noresume(dev);
	return true;
}

bool rgt_pm_runtime_get_if_active(struct device *dev)
{
	int ret = pm_runtime_get_if_active(dev);

	return ret < 0 ? rgt_get_without_runtime_pm(dev) : ret > 0;
}

bool rgt_pm_runtime_get_if_in_use(struct device *dev)
{
	int ret = pm_runtime_get_if_in_use(dev);

	return ret < 0 ? rgt_get_without_runtime_pm(dev) : ret > 0;
}

void rgt_pm_runtime_get_noresume(struct device *dev)
{
	pm_runtime_get_noresume(dev);
}

void rgt_pm_runtime_barrier(struct device *dev)
{
	pm_runtime_barrier(dev);
}

/*
 * For a callback that fails: the core tries again if the device was used since,
 * as long as the delay is not over. Without a delay it never would.
 */
void rgt_pm_runtime_retry_suspend(struct device *dev)
{
#ifdef CONFIG_PM
	WRITE_ONCE(dev->power.last_busy,
		   ktime_get_mono_fast_ns() + RGT_RETRY_NS);
#endif
}

void rgt_pm_runtime_put(struct device *dev)
{
	pm_runtime_put(dev);
}

void rgt_pm_runtime_put_autosuspend(struct device *dev)
{
	pm_runtime_put_autosuspend(dev);
}

int rgt_pm_runtime_usage_count(struct device *dev)
{
#ifdef CONFIG_PM
	return atomic_read(&dev->power.usage_count);
#else
	return 1;
#endif
}

void rgt_pm_runtime_enable_autosuspend(struct device *dev, unsigned int delay)
{
	pm_runtime_set_autosuspend_delay(dev, delay);
	pm_runtime_use_autosuspend(dev);
	pm_runtime_put_autosuspend(dev);
}

/*
 * Returns whether runtime PM is to be enabled again: a device that its bus could
 * not resume must not be resumed any more.
 */
bool rgt_pm_runtime_disable_autosuspend(struct device *dev)
{
	/* For the bus, which takes it back, and until the driver is gone. */
	pm_runtime_get_noresume(dev);
	pm_runtime_get_noresume(dev);
	pm_runtime_dont_use_autosuspend(dev);
	if (!pm_runtime_status_suspended(dev))
		return false;
	pm_runtime_disable(dev);
	return true;
}

void rgt_pm_runtime_enable(struct device *dev)
{
	pm_runtime_enable(dev);
}

bool rgt_device_trylock(struct device *dev)
{
	return device_trylock(dev);
}

void rgt_device_unlock(struct device *dev)
{
	device_unlock(dev);
}
