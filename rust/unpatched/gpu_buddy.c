// SPDX-License-Identifier: GPL-2.0 OR MIT

#include "unpatched.h"

/* The block of a list that is one block of one chunk, or NULL. */
struct gpu_buddy_block *rgt_gpu_buddy_single_chunk(struct list_head *blocks)
{
	struct gpu_buddy_block *block;

	if (!list_is_singular(blocks))
		return NULL;
	block = list_first_entry(blocks, struct gpu_buddy_block, link);
	return gpu_buddy_block_order(block) ? NULL : block;
}

/* Takes an allocated block out of its list. */
void rgt_gpu_buddy_block_unlink(struct gpu_buddy_block *block, bool cleared)
{
	list_del_init(&block->link);
	block->header &= ~GPU_BUDDY_HEADER_CLEAR;
	if (cleared)
		block->header |= GPU_BUDDY_HEADER_CLEAR;
}

/* Puts an allocated block that is in no list into one. */
void rgt_gpu_buddy_block_link(struct gpu_buddy_block *block,
			      struct list_head *blocks)
{
	list_add_tail(&block->link, blocks);
}
