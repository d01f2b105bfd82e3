// SPDX-License-Identifier: GPL-2.0 OR MIT

#include "helpers.h"

bool rgt_gpu_buddy_block_is_clear(struct gpu_buddy_block *block)
{
	return gpu_buddy_block_is_clear(block);
}

u64 rgt_gpu_buddy_free_blocks(struct gpu_buddy *mm, unsigned int order)
{
	return mm->free_scoreboard[order];
}
