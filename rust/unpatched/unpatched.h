/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Logic in C that an unpatched kernel forces. What only makes an inline function
 * or a macro linkable is in bindings/helpers.h.
 */
#ifndef _RGT_UNPATCHED_H_
#define _RGT_UNPATCHED_H_

#include "../bindings/helpers.h"

/* backup.c */
void rgt_ttm_tt_set_own_backup(struct ttm_tt *tt);
bool rgt_ttm_tt_is_imported(struct ttm_tt *tt);
int rgt_ttm_tt_populate(struct ttm_device *bdev, struct ttm_tt *tt,
			struct ttm_operation_ctx *ctx);
void rgt_ttm_tt_unpopulate(struct ttm_device *bdev, struct ttm_tt *tt);
void rgt_ttm_bo_unmap_pinned(struct ttm_buffer_object *bo);
bool rgt_ttm_bo_is_backed_up(struct ttm_buffer_object *bo);
long rgt_ttm_bo_back_up(struct ttm_buffer_object *bo,
			struct ttm_operation_ctx *ctx, bool writeback);
int rgt_ttm_bo_purge(struct ttm_buffer_object *bo,
		     struct ttm_operation_ctx *ctx);
void rgt_ttm_bo_move_discard(struct ttm_buffer_object *bo,
			     struct ttm_resource *new_mem);

/* dma_buf.c */
bool rgt_dma_buf_is_attached(struct dma_buf *buf);
bool rgt_dma_buf_is_peer_to_peer(struct dma_buf *buf);
struct sg_table *rgt_pages_to_sgt(struct device *dev, struct page **pages,
				  unsigned int count);
bool rgt_p2pdma_reaches(struct device *provider, struct device *client);
struct p2pdma_provider *rgt_p2pdma_provider(struct device *dev, int bar);
int rgt_p2pdma_init(struct device *dev);

/* drm.c */
struct drm_device *rgt_drm_debugfs_device(struct seq_file *m);
struct drm_gem_object *rgt_drm_file_next_object(struct drm_file *file,
						int *handle);
void rgt_drm_gpusvm_set_unmapped(struct drm_gpusvm_pages *pages);
void rgt_drm_visit_files(struct drm_device *dev,
			 void (*f)(struct drm_file *file, void *arg),
			 void *arg);
void rgt_drm_dev_put_by_thread(struct drm_device *dev);
unsigned long rgt_drm_gem_get_unmapped_area(struct file *filp,
					    unsigned long addr,
					    unsigned long len,
					    unsigned long pgoff,
					    unsigned long flags);

/* fault.c */
int rgt_vma_insert_pfns(struct vm_area_struct *vma, unsigned long addr,
			unsigned long pfn, unsigned long count, pgprot_t prot);
vm_fault_t rgt_vmf_insert_block(struct vm_fault *vmf, unsigned long pfn);
bool rgt_vmf_end_vma_lock(struct vm_fault *vmf);

/* mm.c */
bool rgt_vma_is_secretmem(const struct vm_area_struct *vma);
void rgt_hmm_pfns_mark_dirty(const unsigned long *pfns, unsigned long count);
bool rgt_dma_is_bounced(struct device *dev);
void rgt_iomem_zero_page(void *addr);
void rgt_iosys_map_write(const struct iosys_map *map, size_t offset,
			 const void *src, size_t len);

/* sched.c */
void rgt_drm_sched_job_account(struct drm_sched_job *job);
void rgt_drm_sched_entity_forget_dependency(struct drm_sched_entity *entity);
void rgt_drm_sched_job_requeue(struct drm_sched_job *job, work_func_t func);

/* ttm.c */
bool rgt_ttm_tt_is_populated(struct ttm_tt *tt);
struct dmem_cgroup_region *
rgt_drm_dmem_register(struct drm_device *dev, const char *name,
		      const struct dmem_cgroup_init *init);
bool rgt_ttm_bo_is_of_own_cgroup(struct ttm_buffer_object *bo);
bool rgt_ttm_bo_is_protected(struct ttm_buffer_object *bo);
bool rgt_ttm_is_entitled(struct ttm_device *bdev, u32 mem_type);
void rgt_ttm_bo_set_priority(struct ttm_buffer_object *bo,
			     unsigned int priority);
struct ttm_buffer_object *rgt_ttm_lru_first(struct ttm_device *bdev,
					    u32 mem_type,
					    unsigned int priority);
void rgt_ttm_bo_release_later(struct ttm_buffer_object *bo, work_func_t func);
struct ttm_buffer_object *
rgt_ttm_bo_of_delayed_delete(struct work_struct *work);
void rgt_ttm_device_purge(struct ttm_device *bdev);
unsigned int rgt_ttm_device_eviction_fences(struct ttm_device *bdev,
					    u32 mem_type);
int rgt_ttm_device_show_pool(struct ttm_device *bdev, struct seq_file *m);

/* workqueue.c */
void rgt_destroy_workqueue(struct workqueue_struct *wq);

#endif
