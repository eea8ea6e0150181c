import { Fragment, useState, type ReactNode } from 'react'
import { Badge, type Tone } from './badge.tsx'
import { Button, IconButton, type ButtonTone } from './button.tsx'
import { CopyButton, IdChip } from './copy.tsx'
import { Dialog } from './dialog.tsx'
import { TextArea, TextField } from './field.tsx'
import { Fold } from './fold.tsx'
import { Icon, iconNames } from './icon.tsx'
import { JsonView } from './json-view.tsx'
import { Menu, MenuChoices, MenuItem } from './menu.tsx'
import { Notice } from './notice.tsx'
import { Tabs } from './tabs.tsx'
import { useTheme, type Theme } from './theme.ts'

const buttonTones: readonly ButtonTone[] = ['accent', 'plain', 'quiet', 'negative']
const tones: readonly Tone[] = ['neutral', 'accent', 'positive', 'caution', 'negative']
const themes: readonly { readonly value: Theme; readonly label: string }[] = [
  { value: 'system', label: 'System' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
]
const colors = ['canvas', 'surface', 'sunken', 'line', 'line-strong', 'ink', 'ink-soft', 'ink-faint', 'bubble'] as const
const swatches = [...colors, 'accent', 'accent-wash', 'positive', 'caution', 'negative'] as const

/** All parts of the design system, each in the states that it has. */
export function DesignPage() {
  const [theme, chooseTheme] = useTheme()
  const [tab, setTab] = useState<'first' | 'second'>('first')
  const [isOpen, setIsOpen] = useState(false)
  return (
    <main className="h-full overflow-y-auto">
      <div className="mx-auto max-w-3xl space-y-8 px-4 py-8">
        <h1 className="text-2xl font-semibold">Design system</h1>
        <Part name="Theme" rule="Both themes come from one table of colours; the machine's is the default.">
          <Tabs value={theme} tabs={themes} onChoose={chooseTheme}>
            <div className="flex flex-wrap gap-3">
              {swatches.map((name) => (
                <div key={name} className="w-20 text-xs text-ink-faint">
                  <svg className="h-10 w-full rounded-lg border" aria-hidden>
                    <rect width="100%" height="100%" fill={`var(--${name})`} />
                  </svg>
                  {name}
                </div>
              ))}
            </div>
          </Tabs>
        </Part>
        <Part name="Button" rule="One accent for each screen: what most people came to do.">
          <Row>
            {buttonTones.map((tone) => (
              <Fragment key={tone}>
                <Button tone={tone} icon="check">
                  {tone}
                </Button>
                <Button tone={tone} disabled>
                  off
                </Button>
              </Fragment>
            ))}
          </Row>
          <Row>
            <IconButton icon="edit" label="Edit" />
            <IconButton icon="send" label="Send" tone="accent" />
            <IconButton icon="copy" label="Copy" size="small" />
            <CopyButton text="copied text" what="a text" />
            <IdChip of="turn" id="0198c0de-0000-7000-8000-00000000cafe" />
          </Row>
        </Part>
        <Part name="Badge" rule="A state in a word or two. What goes on now breathes.">
          <Row>
            {tones.map((tone) => (
              <Badge key={tone} tone={tone} isLive={tone === 'accent'}>
                {tone}
              </Badge>
            ))}
          </Row>
        </Part>
        <Part name="Notice" rule="What happened, and beside it what can be done.">
          <div className="space-y-2">
            {tones.map((tone) => (
              <Notice key={tone} tone={tone} actions={<Button icon="retry">Try again</Button>}>
                The answer was cut off.
              </Notice>
            ))}
          </div>
        </Part>
        <Part name="Field" rule="Each has a name for those who do not see it.">
          <div className="space-y-2">
            <TextField label="Search" placeholder="Search" />
            <TextArea label="Arguments" rows={3} defaultValue={'{ "city": "Paris" }'} className="font-mono" />
          </div>
        </Part>
        <Part name="Fold and JSON" rule="What is folded is not there; JSON stands as people read it.">
          <Fold head="Unfold">
            <div className="mt-2">
              <JsonView what="example" value={{ city: 'Paris', degrees: 21 }} />
            </div>
          </Fold>
        </Part>
        <Part name="Menu and dialog" rule="Escape closes them, and the keyboard is back where it was.">
          <Row>
            <Menu trigger={<Button icon="more">Menu</Button>}>
              <MenuItem icon="edit" onSelect={() => {}}>
                Rename
              </MenuItem>
              <MenuItem icon="delete" isNegative onSelect={() => {}}>
                Delete
              </MenuItem>
              <MenuChoices value={theme} choices={themes} onChoose={chooseTheme} />
            </Menu>
            <Button onClick={() => setIsOpen(true)}>Dialog</Button>
          </Row>
          <Dialog title="A dialog" isOpen={isOpen} onClose={() => setIsOpen(false)}>
            <p className="mb-4 text-ink-soft">It has the keyboard until it is closed.</p>
            <Button tone="accent" onClick={() => setIsOpen(false)}>
              Close
            </Button>
          </Dialog>
        </Part>
        <Part name="Tabs" rule="Views of one thing.">
          <Tabs
            value={tab}
            tabs={[
              { value: 'first', label: 'First' },
              { value: 'second', label: 'Second' },
            ]}
            onChoose={setTab}
          >
            The {tab} view.
          </Tabs>
        </Part>
        <Part name="Icon" rule="Beside words, or in a button that has a name.">
          <div className="flex flex-wrap gap-4 text-ink-soft">
            {iconNames.map((name) => (
              <span key={name} className="flex w-24 flex-col items-center gap-1 text-xs">
                <Icon name={name} size={20} />
                {name}
              </span>
            ))}
          </div>
        </Part>
      </div>
    </main>
  )
}

function Part({
  name,
  rule,
  children,
}: {
  readonly name: string
  readonly rule: string
  readonly children: ReactNode
}) {
  return (
    <section>
      <h2 className="text-lg font-semibold">{name}</h2>
      <p className="mb-3 text-sm text-ink-faint">{rule}</p>
      {children}
    </section>
  )
}

function Row({ children }: { readonly children: ReactNode }) {
  return <div className="mb-2 flex flex-wrap items-center gap-2">{children}</div>
}
