/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Trace events of the driver. bo is the number that the file bos in debugfs
 * shows, client that of fdinfo.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rust_gpu_ttm

#if !defined(_RGT_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _RGT_TRACE_H_

#include <drm/drm_device.h>
#include <linux/device.h>
#include <linux/tracepoint.h>

TRACE_EVENT(rgt_bo_create,
	    TP_PROTO(const struct drm_device *drm, u64 bo, u64 size,
		     u32 placement, u32 flags, u32 vm, u64 client),
	    TP_ARGS(drm, bo, size, placement, flags, vm, client),
	    TP_STRUCT__entry(__string(dev, dev_name(drm->dev))
			     __field(u64, bo)
			     __field(u64, size)
			     __field(u64, client)
			     __field(u32, placement)
			     __field(u32, flags)
			     __field(u32, vm)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->size = size;
			   __entry->client = client;
			   __entry->placement = placement;
			   __entry->flags = flags;
			   __entry->vm = vm;),
	    TP_printk("dev=%s bo=%llu size=%llu placement=0x%x flags=0x%x vm=%u client=%llu",
		      __get_str(dev), __entry->bo, __entry->size,
		      __entry->placement, __entry->flags, __entry->vm,
		      __entry->client)
);

TRACE_EVENT(rgt_bo_validate,
	    TP_PROTO(const struct drm_device *drm, u64 bo, const char *user,
		     const char *place, int ret),
	    TP_ARGS(drm, bo, user, place, ret),
	    TP_STRUCT__entry(__string(dev, dev_name(drm->dev))
			     __string(user, user)
			     __string(place, place)
			     __field(u64, bo)
			     __field(int, ret)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(user);
			   __assign_str(place);
			   __entry->bo = bo;
			   __entry->ret = ret;),
	    TP_printk("dev=%s bo=%llu user=%s place=%s ret=%d",
		      __get_str(dev), __entry->bo, __get_str(user),
		      __get_str(place), __entry->ret)
);

TRACE_EVENT(rgt_bo_move,
	    TP_PROTO(const struct drm_device *drm, u64 bo, const char *from,
		     const char *to, const char *reason, u64 bytes, u64 context,
		     u64 seqno),
	    TP_ARGS(drm, bo, from, to, reason, bytes, context, seqno),
	    TP_STRUCT__entry(__string(dev, dev_name(drm->dev))
			     __string(from, from)
			     __string(to, to)
			     __string(reason, reason)
			     __field(u64, bo)
			     __field(u64, bytes)
			     __field(u64, context)
			     __field(u64, seqno)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(from);
			   __assign_str(to);
			   __assign_str(reason);
			   __entry->bo = bo;
			   __entry->bytes = bytes;
			   __entry->context = context;
			   __entry->seqno = seqno;),
	    TP_printk("dev=%s bo=%llu from=%s to=%s reason=%s bytes=%llu context=%llu seqno=%llu",
		      __get_str(dev), __entry->bo, __get_str(from), __get_str(to),
		      __get_str(reason), __entry->bytes, __entry->context,
		      __entry->seqno)
);

TRACE_EVENT(rgt_bo_evict,
	    TP_PROTO(const struct drm_device *drm, u64 bo, const char *from,
		     u64 size),
	    TP_ARGS(drm, bo, from, size),
	    TP_STRUCT__entry(__string(dev, dev_name(drm->dev))
			     __string(from, from)
			     __field(u64, bo)
			     __field(u64, size)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(from);
			   __entry->bo = bo;
			   __entry->size = size;),
	    TP_printk("dev=%s bo=%llu from=%s size=%llu",
		      __get_str(dev), __entry->bo, __get_str(from), __entry->size)
);

TRACE_EVENT(rgt_bo_free,
	    TP_PROTO(const struct drm_device *drm, u64 bo, u64 size),
	    TP_ARGS(drm, bo, size),
	    TP_STRUCT__entry(__string(dev, dev_name(drm->dev))
			     __field(u64, bo)
			     __field(u64, size)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->size = size;),
	    TP_printk("dev=%s bo=%llu size=%llu",
		      __get_str(dev), __entry->bo, __entry->size)
);

TRACE_EVENT(rgt_vm_bind,
	    TP_PROTO(const struct drm_device *drm, u64 client, u32 vm,
		     const char *op, u64 va, u64 size, u64 bo, u64 offset,
		     u32 flags, int ret),
	    TP_ARGS(drm, client, vm, op, va, size, bo, offset, flags, ret),
	    TP_STRUCT__entry(__string(dev, dev_name(drm->dev))
			     __string(op, op)
			     __field(u64, client)
			     __field(u64, va)
			     __field(u64, size)
			     __field(u64, bo)
			     __field(u64, offset)
			     __field(u32, vm)
			     __field(u32, flags)
			     __field(int, ret)),
	    TP_fast_assign(__assign_str(dev);
			   __assign_str(op);
			   __entry->client = client;
			   __entry->va = va;
			   __entry->size = size;
			   __entry->bo = bo;
			   __entry->offset = offset;
			   __entry->vm = vm;
			   __entry->flags = flags;
			   __entry->ret = ret;),
	    TP_printk("dev=%s client=%llu vm=%u op=%s va=0x%llx size=%llu bo=%llu offset=%llu flags=0x%x ret=%d",
		      __get_str(dev), __entry->client, __entry->vm, __get_str(op),
		      __entry->va, __entry->size, __entry->bo, __entry->offset,
		      __entry->flags, __entry->ret)
);

TRACE_EVENT(rgt_vm_zap,
	    TP_PROTO(const struct drm_device *drm, u64 bo, u64 va, u64 size),
	    TP_ARGS(drm, bo, va, size),
	    TP_STRUCT__entry(__string(dev, dev_name(drm->dev))
			     __field(u64, bo)
			     __field(u64, va)
			     __field(u64, size)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->bo = bo;
			   __entry->va = va;
			   __entry->size = size;),
	    TP_printk("dev=%s bo=%llu va=0x%llx size=%llu",
		      __get_str(dev), __entry->bo, __entry->va, __entry->size)
);

#endif /* _RGT_TRACE_H_ */

/* This part must be outside protection. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE rgt_trace
#include <trace/define_trace.h>
