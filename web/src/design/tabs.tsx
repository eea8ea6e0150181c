import { Tabs as BaseTabs } from '@base-ui/react/tabs'
import type { ReactNode } from 'react'

/** Views of one thing, of which one is shown: `tabs` names them, `children` is what the chosen one shows. */
export function Tabs<Value extends string>({
  value,
  tabs,
  onChoose,
  children,
}: {
  readonly value: Value
  readonly tabs: readonly { readonly value: Value; readonly label: ReactNode }[]
  readonly onChoose: (value: Value) => void
  readonly children: ReactNode
}) {
  return (
    <BaseTabs.Root value={value} onValueChange={(next: Value) => onChoose(next)}>
      <BaseTabs.List className="flex gap-1 overflow-x-auto border-b">
        {tabs.map((tab) => (
          <BaseTabs.Tab
            key={tab.value}
            value={tab.value}
            className="-mb-px border-b-2 border-transparent px-3 py-1.5 text-sm whitespace-nowrap text-ink-soft hover:text-ink data-active:border-accent data-active:text-ink"
          >
            {tab.label}
          </BaseTabs.Tab>
        ))}
      </BaseTabs.List>
      <BaseTabs.Panel value={value} className="pt-3">
        {children}
      </BaseTabs.Panel>
    </BaseTabs.Root>
  )
}
