// SPDX-License-Identifier: GPL-2.0 OR MIT

#include "helpers.h"

void rgt_dma_fence_get(struct dma_fence *fence)
{
	dma_fence_get(fence);
}

void rgt_dma_fence_put(struct dma_fence *fence)
{
	dma_fence_put(fence);
}

bool rgt_dma_fence_is_signaled(struct dma_fence *fence)
{
	return dma_fence_is_signaled(fence);
}

void rgt_dma_fence_set_error(struct dma_fence *fence, int error)
{
	dma_fence_set_error(fence, error);
}

bool rgt_dma_fence_begin_signalling(void)
{
	return dma_fence_begin_signalling();
}

void rgt_dma_fence_end_signalling(bool cookie)
{
	dma_fence_end_signalling(cookie);
}

int rgt_dma_resv_lock_interruptible(struct dma_resv *resv)
{
	return dma_resv_lock_interruptible(resv, NULL);
}

bool rgt_dma_resv_trylock(struct dma_resv *resv)
{
	return dma_resv_trylock(resv);
}

struct ww_acquire_ctx *rgt_dma_resv_locking_ctx(struct dma_resv *resv)
{
	return dma_resv_locking_ctx(resv);
}

void rgt_dma_resv_iter_begin(struct dma_resv_iter *cursor,
			     struct dma_resv *resv, enum dma_resv_usage usage)
{
	dma_resv_iter_begin(cursor, resv, usage);
}

void rgt_dma_resv_iter_end(struct dma_resv_iter *cursor)
{
	dma_resv_iter_end(cursor);
}
