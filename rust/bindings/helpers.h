/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Functions that C has only as inlines or macros, made linkable for Rust.
 */
#ifndef _RGT_HELPERS_H_
#define _RGT_HELPERS_H_

#include <drm/drm_debugfs.h>
#include <drm/drm_device.h>
#include <drm/drm_exec.h>
#include <drm/drm_gpusvm.h>
#include <drm/drm_gpuvm.h>
#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/cgroup_dmem.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/mmu_notifier.h>
#include <linux/notifier.h>
#include <linux/shrinker.h>
#include <linux/workqueue.h>

/* dma-fence */
void rgt_dma_fence_get(struct dma_fence *fence);
void rgt_dma_fence_put(struct dma_fence *fence);
bool rgt_dma_fence_is_signaled(struct dma_fence *fence);
void rgt_dma_fence_set_error(struct dma_fence *fence, int error);
bool rgt_dma_fence_begin_signalling(void);
void rgt_dma_fence_end_signalling(bool cookie);

/* dma-resv */
int rgt_dma_resv_lock_interruptible(struct dma_resv *resv);
bool rgt_dma_resv_trylock(struct dma_resv *resv);
struct ww_acquire_ctx *rgt_dma_resv_locking_ctx(struct dma_resv *resv);
void rgt_dma_resv_iter_begin(struct dma_resv_iter *cursor,
			     struct dma_resv *resv, enum dma_resv_usage usage);
void rgt_dma_resv_iter_end(struct dma_resv_iter *cursor);

/* dma-buf */
void rgt_get_dma_buf(struct dma_buf *buf);
bool rgt_dma_buf_get_unless_zero(struct dma_buf *buf);

/* drm/exec */
bool rgt_drm_exec_is_contended(struct drm_exec *exec);

/* drm/sched */
void rgt_drm_sched_visit_pending_jobs(struct drm_gpu_scheduler *sched,
				      void (*f)(struct drm_sched_job *job));
struct drm_sched_job *rgt_drm_sched_job_of_work(struct work_struct *work);
void rgt_drm_sched_fence_dont_pipeline(struct drm_sched_fence *fence);
long rgt_drm_sched_entity_flush(struct drm_sched_entity *entity, long timeout);
long rgt_drm_sched_entity_wait(struct drm_sched_entity *entity, long timeout);
bool rgt_current_is_exiting(void);
bool rgt_current_is_kernel_thread(void);

/* drm/syncobj */
void rgt_drm_syncobj_get(struct drm_syncobj *syncobj);
void rgt_drm_syncobj_put(struct drm_syncobj *syncobj);
struct dma_fence *rgt_drm_syncobj_fence_get(struct drm_syncobj *syncobj);

/* drm/debugfs */
void rgt_drm_debugfs_add_file(struct drm_device *dev, const char *name,
			      int (*show)(struct seq_file *m, void *unused));

/* drm/file and drm/fdinfo */
bool rgt_drm_gem_object_is_shared(struct drm_gem_object *obj);

/* drm/device */
bool rgt_drm_dev_get_unless_zero(struct drm_device *dev);
bool rgt_drm_dev_put_unless_last(struct drm_device *dev);

/* drm/gem and its list of objects */
bool rgt_drm_gem_object_get_unless_zero(struct drm_gem_object *obj);
void rgt_list_del(struct list_head *entry);
void rgt_list_del_init(struct list_head *entry);
void rgt_drm_gpuvm_bo_get(struct drm_gpuvm_bo *vm_bo);
bool rgt_drm_gpuvm_bo_get_unless_zero(struct drm_gpuvm_bo *vm_bo);

/* drm/ttm */
int rgt_ttm_bo_reserve(struct ttm_buffer_object *bo, bool interruptible,
		       bool no_wait);
void rgt_ttm_bo_unreserve(struct ttm_buffer_object *bo);
void rgt_ttm_bo_move_null(struct ttm_buffer_object *bo,
			  struct ttm_resource *new_mem);
void rgt_ttm_bo_move_sync_cleanup(struct ttm_buffer_object *bo,
				  struct ttm_resource *new_mem);
void rgt_ttm_resource_manager_set_used(struct ttm_resource_manager *man,
				       bool used);
void rgt_ttm_bo_move_to_lru_tail(struct ttm_buffer_object *bo);
void rgt_ttm_lru_lock(struct ttm_device *bdev);
void rgt_ttm_lru_unlock(struct ttm_device *bdev);
void rgt_ttm_device_drain(struct ttm_device *bdev);
void rgt_ttm_device_flush(struct ttm_device *bdev);
void rgt_ttm_resource_manager_cleanup(struct ttm_resource_manager *man);
void rgt_ttm_resource_manager_show(struct ttm_resource_manager *man,
				   struct seq_file *m);
bool rgt_ttm_resource_manager_is_evicting(struct ttm_resource_manager *man);
void rgt_drm_dmem_unregister(struct dmem_cgroup_region *region);

/* linux/iosys-map.h */
void rgt_iosys_map_read(void *dst, const struct iosys_map *map, size_t offset,
			size_t len);
void rgt_iosys_map_zero_page(struct iosys_map *map);

/* asm/io.h */
int rgt_arch_io_reserve_memtype_wc(resource_size_t start, resource_size_t size);
void rgt_arch_io_free_memtype_wc(resource_size_t start, resource_size_t size);

/* linux/mm.h */
bool rgt_vmf_is_random(const struct vm_fault *vmf);
bool rgt_vmf_is_block(struct vm_fault *vmf);
bool rgt_vmf_may_retry(const struct vm_fault *vmf);
bool rgt_vmf_may_retry_first(const struct vm_fault *vmf);
void rgt_vmf_unlock_mm(struct vm_fault *vmf);
unsigned long rgt_page_to_pfn(struct page *page);
pgprot_t rgt_pgprot_decrypted(pgprot_t prot);
unsigned long rgt_totalram_pages(void);
long rgt_si_mem_available(void);

/* linux/mmu_notifier.h */
bool rgt_mmu_notifier_range_blockable(const struct mmu_notifier_range *range);
void rgt_mmu_interval_set_seq(struct mmu_interval_notifier *notifier,
			      unsigned long seq);
bool rgt_mmu_interval_read_retry(struct mmu_interval_notifier *notifier,
				 unsigned long seq);

/* drm/drm_gpusvm.h */
void rgt_drm_gpusvm_init_pages(struct drm_gpusvm_pages *pages,
			       struct drm_device *dev);

/* linux/module.h */
bool rgt_try_module_get(struct module *module);
void rgt_module_put(struct module *module);
void rgt_module_pin(void);

/* linux/suspend.h */
int rgt_register_pm_notifier(struct notifier_block *nb);
void rgt_unregister_pm_notifier(struct notifier_block *nb);
int rgt_notifier_from_errno(int err);

/* linux/pm_runtime.h */
int rgt_pm_runtime_resume_and_get(struct device *dev);
bool rgt_pm_runtime_get_if_active(struct device *dev);
bool rgt_pm_runtime_get_if_in_use(struct device *dev);
void rgt_pm_runtime_get_noresume(struct device *dev);
void rgt_pm_runtime_barrier(struct device *dev);
void rgt_pm_runtime_retry_suspend(struct device *dev);
void rgt_pm_runtime_put(struct device *dev);
void rgt_pm_runtime_put_autosuspend(struct device *dev);
int rgt_pm_runtime_usage_count(struct device *dev);
void rgt_pm_runtime_enable_autosuspend(struct device *dev, unsigned int delay);
bool rgt_pm_runtime_disable_autosuspend(struct device *dev);
void rgt_pm_runtime_enable(struct device *dev);
void rgt_pm_runtime_begin_callback(void);
void rgt_pm_runtime_end_callback(void);

/* linux/device.h */
bool rgt_device_trylock(struct device *dev);
void rgt_device_unlock(struct device *dev);

/* linux/shrinker.h */
bool rgt_shrink_control_may_enter_fs(struct shrink_control *control);
bool rgt_shrink_control_may_start_io(struct shrink_control *control);

#endif
