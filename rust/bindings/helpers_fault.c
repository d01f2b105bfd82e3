// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/mm.h>
#include <linux/pgtable.h>

#include "helpers.h"

/* Whether user space said that it will not touch the neighbours. */
bool rgt_vmf_is_random(const struct vm_fault *vmf)
{
	return vmf->vma->vm_flags & VM_RAND_READ;
}

bool rgt_vmf_is_block(struct vm_fault *vmf)
{
	return pmd_leaf(pmdp_get(vmf->pmd));
}

/* Whether the fault may give up the mmap_lock for a wait, and be retried. */
bool rgt_vmf_may_retry(const struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_ALLOW_RETRY;
}

/* Whether it may, and was not retried yet. */
bool rgt_vmf_may_retry_first(const struct vm_fault *vmf)
{
	return fault_flag_allow_retry_first(vmf->flags);
}

void rgt_vmf_unlock_mm(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}

unsigned long rgt_page_to_pfn(struct page *page)
{
	return page_to_pfn(page);
}

pgprot_t rgt_pgprot_decrypted(pgprot_t prot)
{
	return pgprot_decrypted(prot);
}
