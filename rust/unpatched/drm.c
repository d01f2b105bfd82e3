// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gpusvm.h>
#include <drm/drm_vma_manager.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>

#include "unpatched.h"

/* The device of a file that rgt_drm_debugfs_add_file() made. */
struct drm_device *rgt_drm_debugfs_device(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return entry->dev;
}

/*
 * Returns a reference to the object of the first handle from *handle on, and
 * the handle; NULL when there is none.
 */
struct drm_gem_object *rgt_drm_file_next_object(struct drm_file *file,
						int *handle)
{
	struct drm_gem_object *obj;

	spin_lock(&file->table_lock);
	/* The handle has a reference while it is in there. */
	obj = idr_get_next(&file->object_idr, handle);
	if (obj)
		drm_gem_object_get(obj);
	spin_unlock(&file->table_lock);

	return obj;
}

/* As drm_gpusvm_range_set_unmapped(), of pages without a range. */
void rgt_drm_gpusvm_set_unmapped(struct drm_gpusvm_pages *pages)
{
	struct drm_gpusvm_pages_flags flags = {
		.__flags = pages->flags.__flags,
	};

	flags.unmapped = true;
	WRITE_ONCE(pages->flags.__flags, flags.__flags);
}

void rgt_drm_visit_files(struct drm_device *dev,
			 void (*f)(struct drm_file *file, void *arg),
			 void *arg)
{
	struct drm_file *file;

	mutex_lock(&dev->filelist_mutex);
	list_for_each_entry(file, &dev->filelist, lhead)
		f(file, arg);
	mutex_unlock(&dev->filelist_mutex);
}

static int rgt_drm_dev_put_thread(void *dev)
{
	drm_dev_put(dev);
	module_put_and_kthread_exit(0);
}

/*
 * Gives the last reference back where the device must not be released. The
 * thread keeps the module, whose code releases the device; without one the
 * device stays, and the module for it.
 */
void rgt_drm_dev_put_by_thread(struct drm_device *dev)
{
	struct task_struct *thread;

	__module_get(THIS_MODULE);
	thread = kthread_run(rgt_drm_dev_put_thread, dev, "rgt-drm-put");
	WARN_ON(IS_ERR(thread));
}

/*
 * Finds an address for a mapping of a GEM object where it can be mapped by
 * huge pages: one that is aligned as its offset in the object is, which is what
 * tells how its memory is aligned. The offset in the device file tells nothing.
 */
unsigned long rgt_drm_gem_get_unmapped_area(struct file *filp,
					    unsigned long addr,
					    unsigned long len,
					    unsigned long pgoff,
					    unsigned long flags)
{
	struct drm_file *priv = filp->private_data;
	struct drm_vma_offset_manager *mgr = priv->minor->dev->vma_offset_manager;
	struct drm_vma_offset_node *node;

	drm_vma_offset_lock_lookup(mgr);
	node = drm_vma_offset_lookup_locked(mgr, pgoff, len >> PAGE_SHIFT);
	if (node)
		pgoff -= drm_vma_node_start(node);
	drm_vma_offset_unlock_lookup(mgr);

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	return thp_get_unmapped_area(filp, addr, len, pgoff, flags);
#else
	return mm_get_unmapped_area(filp, addr, len, pgoff, flags);
#endif
}
