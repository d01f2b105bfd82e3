// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/dma-buf.h>
#include <linux/fs.h>

#include "helpers.h"

void rgt_get_dma_buf(struct dma_buf *buf)
{
	get_dma_buf(buf);
}

/* A buffer is released with its file. */
bool rgt_dma_buf_get_unless_zero(struct dma_buf *buf)
{
	return get_file_active(&buf->file);
}
