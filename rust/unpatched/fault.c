// SPDX-License-Identifier: GPL-2.0 OR MIT

#include <linux/cc_platform.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "unpatched.h"

struct rgt_pfns {
	struct mm_struct *mm;
	unsigned long pfn;
	pgprot_t prot;
};

static int rgt_set_pte(pte_t *pte, unsigned long addr, void *data)
{
	struct rgt_pfns *pfns = data;
	unsigned long pfn = pfns->pfn++;

	/* Special: there is no struct page to account for. */
	if (pte_none(ptep_get(pte)))
		set_pte_at(pfns->mm, addr, pte,
			   pte_mkspecial(pfn_pte(pfn, pfns->prot)));
	return 0;
}

/*
 * As vmf_insert_pfn_prot() for each of the pages, which one table must hold,
 * but does not look up for each of them what is the same for all.
 */
int rgt_vma_insert_pfns(struct vm_area_struct *vma, unsigned long addr,
			unsigned long pfn, unsigned long count, pgprot_t prot)
{
	struct rgt_pfns pfns = { .mm = vma->vm_mm, .pfn = pfn, .prot = prot };

	return apply_to_page_range(vma->vm_mm, addr, count << PAGE_SHIFT,
				   rgt_set_pte, &pfns);
}

vm_fault_t rgt_vmf_insert_block(struct vm_fault *vmf, unsigned long pfn)
{
#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP
	pmd_t pmd = pmdp_get(vmf->pmd);

	/* vmf_insert_pfn_pmd() takes no attributes but the VMA's. */
	if ((pmd_none(pmd) || pmd_leaf(pmd)) &&
	    !cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return vmf_insert_pfn_pmd(vmf, pfn,
					  vmf->flags & FAULT_FLAG_WRITE);
#endif
	return VM_FAULT_FALLBACK;
}

/* Whether the fault holds the VMA's lock only; if so, ends that. */
bool rgt_vmf_end_vma_lock(struct vm_fault *vmf)
{
	if (!(vmf->flags & FAULT_FLAG_VMA_LOCK))
		return false;

	vma_end_read(vmf->vma);
	return true;
}
